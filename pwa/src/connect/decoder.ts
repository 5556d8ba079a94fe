// A script of its own, which comes when somebody scans: of the library, only what reads a picture.
export { decodeQR } from 'qr/decode.js';
