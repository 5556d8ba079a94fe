// In a namespace: leads from a socket in the file system to a port.
import { connect, createServer } from 'node:net';
import { passOn } from './pass-on.js';

const [path, port] = process.argv.slice(2);

createServer((near) => passOn(near, connect(Number(port), '127.0.0.1'))).listen(path, () => process.stdout.write('ready\n'));
