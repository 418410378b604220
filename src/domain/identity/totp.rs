//! One-time codes of an authenticator app (RFC 6238: SHA-1, 6 digits, 30 seconds, as every app understands).

use qrcode::{EcLevel, QrCode};
use time::OffsetDateTime;
use totp_rs::{Builder, Totp};

use crate::base::{
    crypto::{random, seal::Place},
    email::Email,
    ids::{DataKeyId, UserId},
    secret::Secret,
};

/// What an app keeps: 160 random bits (RFC 4226, section 4, R6).
#[derive(Clone, Debug)]
pub struct TotpSecret(Secret<[u8; 20]>);

/// The number of a 30-second step since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(i64);

/// A sealed secret as stored.
#[derive(Clone, Debug)]
pub struct SealedTotp {
    /// What the vault made of the secret, bound to [`place_of`] its person.
    pub sealed_secret: Vec<u8>,
    /// The data key that opens it.
    pub data_key: DataKeyId,
    /// When a first code proved that the app has it; before that it opens no door.
    pub confirmed_at: Option<OffsetDateTime>,
}

/// What a person needs to take a secret into their app.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// The link for an app on the same device.
    pub uri: Secret<String>,
    /// The same as a picture to scan: an `svg` element that takes the text's color and has no styles of its
    /// own.
    pub qr_svg: Secret<String>,
    /// The secret in groups of four, to type.
    pub text: Secret<String>,
}

/// Where the secret of a person is sealed.
pub fn place_of(user: UserId) -> Place<'static> {
    Place { org: uuid::Uuid::nil(), table: "totp_secrets", column: "sealed_secret", row: user.uuid() }
}

impl TotpSecret {
    /// A new secret.
    pub fn fresh() -> Self {
        Self(Secret::new(random::bytes()))
    }

    /// A secret as the vault opened it; `None` where the length is wrong.
    pub fn from_bytes(bytes: &Secret<Vec<u8>>) -> Option<Self> {
        Some(Self(Secret::new(bytes.expose().as_slice().try_into().ok()?)))
    }

    /// The bytes to be sealed.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// The step a code belongs to, where it is the code of this step, the one before or the one after.
    ///
    /// Blanks in the code are ignored. The caller must still spend the step: a code is good once.
    pub fn check(&self, code: &str, now: OffsetDateTime) -> Option<Step> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let seconds = u64::try_from(now.unix_timestamp()).ok()?;
        let step = self.totp(None).check(&code, seconds)?;
        i64::try_from(step).ok().map(Step)
    }

    /// Shows the secret to its person.
    pub fn enrollment(&self, email: &Email) -> Enrollment {
        let totp = self.totp(Some(email));
        let uri = totp.to_url().expect("an e-mail address is not empty and has no colon");
        let qr = QrCode::with_error_correction_level(&uri, EcLevel::M)
            .expect("a link of some 400 bytes is below the 2,331 that a QR code holds");
        let base32 = zeroize::Zeroizing::new(totp.secret().to_base32());
        Enrollment {
            qr_svg: Secret::new(svg_of(&qr)),
            text: Secret::new(grouped(&base32)),
            uri: Secret::new(uri),
        }
    }

    fn totp(&self, email: Option<&Email>) -> Totp {
        let mut builder = Builder::new().with_secret(*self.0.expose());
        if let Some(email) = email {
            builder = builder.with_account_name(email.as_str()).with_issuer(Some("Portreeve"));
        }
        builder.build().expect("the defaults with 160 bits are within RFC 6238")
    }
}

impl Step {
    /// The step as the database holds it.
    pub const fn number(self) -> i64 {
        self.0
    }
}

fn grouped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for (i, c) in text.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// One path over the dark squares with the four squares of quiet that scanners need.
fn svg_of(qr: &QrCode) -> String {
    const QUIET: usize = 4;
    let width = qr.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (i, color) in qr.to_colors().into_iter().enumerate() {
        if color == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", i % width + QUIET, i / width + QUIET));
        }
    }
    // White stays white in a dark theme: many scanners cannot read a code turned inside out.
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         aria-label=\"QR code for your authenticator app\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn rfc() -> TotpSecret {
        TotpSecret::from_bytes(&Secret::new(b"12345678901234567890".to_vec())).unwrap()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn the_codes_of_the_standard_are_right() {
        // RFC 6238, appendix B, column SHA1, last six digits.
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(rfc().check(code, at(seconds)), Some(Step(seconds / 30)), "{code}");
        }
    }

    #[test]
    fn one_step_early_or_late_is_right_and_two_are_wrong() {
        let code = "005924";
        let start = 1_234_567_890;
        let step = Some(Step(start / 30));
        assert_eq!(start % 30, 0);
        assert_eq!(rfc().check(code, at(start - 30)), step);
        assert_eq!(rfc().check(code, at(start + 59)), step);
        assert_eq!(rfc().check(code, at(start - 31)), None);
        assert_eq!(rfc().check(code, at(start + 60)), None);
        assert_eq!(rfc().check(" 005 924 ", at(start)), step);
        for wrong in ["", "5924", "0059240", "+05924", "٠٠٥٩٢٤", "005925", "abcdef"] {
            assert_eq!(rfc().check(wrong, at(start)), None, "{wrong}");
        }
    }

    #[test]
    fn an_enrollment_carries_the_secret_in_three_forms_and_no_styles() {
        let enrollment = rfc().enrollment(&"ada+x@engine.example".parse().unwrap());
        let uri = enrollment.uri.expose();
        assert!(uri.starts_with("otpauth://totp/Portreeve:ada%2Bx%40engine.example?"), "{uri}");
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") && uri.contains("issuer=Portreeve"));
        assert_eq!(enrollment.text.expose(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        let svg = enrollment.qr_svg.expose();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
        assert!(!svg.contains("style") && !svg.contains("<?xml"));
        assert!(!format!("{enrollment:?} {:?}", rfc()).contains("GEZD"));
    }

    #[test]
    fn the_longest_address_fits_into_the_picture() {
        let domain = format!("{0}.{0}.{1}", "d".repeat(63), "e".repeat(60));
        let email = format!("{}@{domain}", "l".repeat(64)).parse().unwrap();
        assert!(rfc().enrollment(&email).qr_svg.expose().len() > 1_000);
    }

    #[test]
    fn a_secret_of_another_length_is_refused() {
        assert!(TotpSecret::from_bytes(&Secret::new(vec![0; 19])).is_none());
        assert_ne!(TotpSecret::fresh().expose(), TotpSecret::fresh().expose());
    }

    proptest! {
        #[test]
        fn any_text_at_any_time_is_judged_without_panic(code in "\\PC{0,12}", seconds in any::<u32>()) {
            let known = rfc().check(&code, at(seconds.into()));
            prop_assert!(known.is_none_or(|step| (step.number() - i64::from(seconds) / 30).abs() <= 1));
        }
    }
}
