//! QR codes at a terminal.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The text as a picture of a QR code; `None` when it is too long for one.
pub(super) fn picture(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    // Inverted, so that it reads on a dark terminal.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}
