//! Bytes as hexadecimal digits.

/// Two small digits for each byte.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

/// `None` if there is an odd number of digits, or anything else.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let mut digits = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    let mut bytes = Vec::with_capacity(text.len() / 2);
    while let Some(high) = digits.next() {
        bytes.push(high? * 16 + digits.next()??);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{from_hex, to_hex};

    #[test]
    fn hexadecimal_digits_come_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = to_hex(&bytes);
        assert!(text.starts_with("00010203") && text.ends_with("fdfeff"), "{text}");
        assert_eq!(from_hex(&text), Some(bytes));
        assert_eq!((from_hex("abc"), from_hex("zz"), from_hex("FF")), (None, None, Some(vec![255])));
    }
}
