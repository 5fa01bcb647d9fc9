//! Reasons and choices by number, so that a newer program's reason is still shown by an older one.
//!
//! **Invariant:** a number never changes its meaning; an unknown number is kept as it came.

/// Makes an enum of numbered codes, each with a stable label and a sentence for people.
///
/// Encoded as the bare number, shown in JSON as the label.
macro_rules! codes {
    ($(#[$meta:meta])* $type:ident {
        $($(#[$doc:meta])* $name:ident = $number:literal, $label:literal, $sentence:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$doc])* $name,)*
            /// A number that this version does not know.
            Other(u16),
        }

        impl $type {
            /// Every code this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number on the wire.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// The code of a number; one that is not known is kept.
            pub const fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// A stable word for programs.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                    Self::Other(_) => "other",
                }
            }

            /// The code of a label; `None` when no code has it.
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.label() == label)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name => f.write_str($sentence),)*
                    Self::Other(number) => {
                        write!(f, "reason {number}, which this version does not know")
                    }
                }
            }
        }

        impl<C> minicbor::Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.u16(self.number())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $type {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                d.u16().map(Self::from_number)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Other(number) => s.collect_str(&format_args!("other_{number}")),
                    known => s.serialize_str(known.label()),
                }
            }
        }
    };
}

pub(crate) use codes;
