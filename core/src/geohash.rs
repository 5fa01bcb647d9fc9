//! Places on the map and the geohash cells that the directory is looked up by.
//!
//! **Invariant:** places are whole ten-millionths of a degree and cells are computed in integers,
//! so that every machine puts a shop into the same cell.

/// A place: WGS 84 latitude and longitude in ten-millionths of a degree (about a centimetre).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, minicbor::Encode, serde::Serialize)]
#[cbor(map)]
pub struct Place {
    #[n(0)]
    lat_e7: i32,
    #[n(1)]
    lon_e7: i32,
}

impl Place {
    /// A place by latitude (south negative) and longitude (west negative), each times 10^7.
    ///
    /// # Errors
    /// [`NotAPlace`] beyond a pole or the date line.
    pub fn new(lat_e7: i32, lon_e7: i32) -> Result<Self, NotAPlace> {
        let degree = DEGREE.unsigned_abs();
        let fits = lat_e7.unsigned_abs() <= 90 * degree && lon_e7.unsigned_abs() <= 180 * degree;
        if fits { Ok(Self { lat_e7, lon_e7 }) } else { Err(NotAPlace::OffTheMap) }
    }

    /// Latitude in ten-millionths of a degree.
    pub fn lat_e7(self) -> i32 {
        self.lat_e7
    }

    /// Longitude in ten-millionths of a degree.
    pub fn lon_e7(self) -> i32 {
        self.lon_e7
    }

    /// Metres to `other` along a great circle of a sphere: right to half a per cent.
    pub fn distance_m(self, other: Self) -> u32 {
        let radians = |e7: i32| f64::from(e7) / f64::from(DEGREE) * std::f64::consts::PI / 180.0;
        let (lat_a, lat_b) = (radians(self.lat_e7), radians(other.lat_e7));
        let half_lat = ((lat_b - lat_a) / 2.0).sin();
        let half_lon = ((radians(other.lon_e7) - radians(self.lon_e7)) / 2.0).sin();
        let chord = half_lat * half_lat + lat_a.cos() * lat_b.cos() * half_lon * half_lon;
        (2.0 * EARTH_RADIUS_M * chord.min(1.0).sqrt().asin()).round() as u32
    }
}

impl std::str::FromStr for Place {
    type Err = NotAPlace;

    /// Reads decimal degrees, latitude first: `28.6139,77.2090`.
    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (lat, lon) = text.split_once(',').ok_or(NotAPlace::Unreadable)?;
        Self::new(degrees(lat.trim())?, degrees(lon.trim())?)
    }
}

/// Decimal degrees as ten-millionths; further digits are cut off.
fn degrees(text: &str) -> Result<i32, NotAPlace> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 20 || !plain(whole) || !plain(part) {
        return Err(NotAPlace::Unreadable);
    }
    let kept = &part[..part.len().min(7)];
    let value = format!("{whole}{kept:0<7}").parse::<i64>().map_err(|_| NotAPlace::Unreadable)?;
    let value = i32::try_from(value).map_err(|_| NotAPlace::OffTheMap)?;
    Ok(if negative { -value } else { value })
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |e7: i32| {
            let sign = if e7 < 0 { "-" } else { "" };
            let (abs, degree) = (e7.unsigned_abs(), DEGREE.unsigned_abs());
            format!("{sign}{}.{:07}", abs / degree, abs % degree)
        };
        write!(f, "{},{}", one(self.lat_e7), one(self.lon_e7))
    }
}

#[derive(minicbor::Decode, serde::Deserialize)]
#[cbor(map)]
struct Unchecked {
    #[n(0)]
    lat_e7: i32,
    #[n(1)]
    lon_e7: i32,
}

impl<'b, C> minicbor::Decode<'b, C> for Place {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let raw: Unchecked = d.decode_with(ctx)?;
        Self::new(raw.lat_e7, raw.lon_e7).map_err(minicbor::decode::Error::message)
    }
}

impl<'de> serde::Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = Unchecked::deserialize(d)?;
        Self::new(raw.lat_e7, raw.lon_e7).map_err(serde::de::Error::custom)
    }
}

/// A cell of the geohash grid: 1 to 12 characters, five bits each, longitude first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    bits: u64,
    len: u8,
}

impl Cell {
    /// The most characters of a cell: a few centimetres.
    pub const LEN_MAX: u8 = 12;

    /// The cell of `len` characters (clamped to 1..=12) that holds a place.
    ///
    /// ```
    /// use kirana_core::geohash::Cell;
    /// let place = "57.64911,10.40744".parse().unwrap();
    /// assert_eq!(Cell::of(place, 11).to_string(), "u4pruydqqvj");
    /// ```
    pub fn of(place: Place, len: u8) -> Self {
        let len = len.clamp(1, Self::LEN_MAX);
        let lat = steps(i64::from(place.lat_e7) + i64::from(90 * DEGREE), 180, lat_bits(len));
        let lon = steps(i64::from(place.lon_e7) + i64::from(180 * DEGREE), 360, lon_bits(len));
        Self::join(lat, lon, len)
    }

    /// The middle of the cell.
    pub fn centre(self) -> Place {
        let (lat, lon) = self.split();
        let middle = |step: u64, bits: u32, span: i64| {
            let span_e7 = i128::from(span) * i128::from(DEGREE);
            (i128::from(2 * step + 1) * span_e7 / (2_i128 << bits) - span_e7 / 2) as i32
        };
        Place {
            lat_e7: middle(lat, lat_bits(self.len), 180),
            lon_e7: middle(lon, lon_bits(self.len), 360),
        }
    }

    /// The cells around it, from the north clockwise; fewer than eight next to a pole.
    pub fn neighbours(self) -> Vec<Self> {
        const AROUND: [(i64, i64); 8] =
            [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)];
        let (lat, lon) = self.split();
        let (rows, columns) = (1_i64 << lat_bits(self.len), 1_i64 << lon_bits(self.len));
        AROUND
            .iter()
            .map(|(north, east)| (lat as i64 + north, (lon as i64 + east).rem_euclid(columns)))
            .filter(|(row, _)| (0..rows).contains(row))
            .map(|(row, column)| Self::join(row as u64, column as u64, self.len))
            .collect()
    }

    /// How many characters it has: fewer are larger cells.
    pub fn len(self) -> u8 {
        self.len
    }

    /// Never: a cell has at least one character.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    fn join(lat: u64, lon: u64, len: u8) -> Self {
        let total = 5 * u32::from(len);
        let (mut bits, mut lat_left, mut lon_left) = (0, lat_bits(len), lon_bits(len));
        for place in 0..total {
            let (value, left) =
                if place % 2 == 0 { (lon, &mut lon_left) } else { (lat, &mut lat_left) };
            *left -= 1;
            bits = bits << 1 | (value >> *left & 1);
        }
        Self { bits, len }
    }

    fn split(self) -> (u64, u64) {
        let total = 5 * u32::from(self.len);
        let (mut lat, mut lon) = (0, 0);
        for place in 0..total {
            let bit = self.bits >> (total - 1 - place) & 1;
            if place % 2 == 0 { lon = lon << 1 | bit } else { lat = lat << 1 | bit }
        }
        (lat, lon)
    }
}

/// Which of 2^bits equal steps over `span` degrees an offset lies in.
fn steps(offset_e7: i64, span: i64, bits: u32) -> u64 {
    let step = (i128::from(offset_e7) << bits) / (i128::from(span) * i128::from(DEGREE));
    // The north pole and the date line lie at the very end: they belong to the last step.
    step.clamp(0, (1 << bits) - 1) as u64
}

fn lon_bits(len: u8) -> u32 {
    (5 * u32::from(len)).div_ceil(2)
}

fn lat_bits(len: u8) -> u32 {
    5 * u32::from(len) / 2
}

impl std::str::FromStr for Cell {
    type Err = NotAPlace;
    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
        if !(1..=Self::LEN_MAX).contains(&len) {
            return Err(NotAPlace::NotACell);
        }
        let mut bits = 0;
        for letter in text.bytes() {
            let value = ALPHABET.iter().position(|a| *a == letter).ok_or(NotAPlace::NotACell)?;
            bits = bits << 5 | value as u64;
        }
        Ok(Self { bits, len })
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (0..self.len).rev().try_for_each(|place| {
            let letter = ALPHABET[(self.bits >> (5 * u32::from(place)) & 31) as usize];
            write!(f, "{}", char::from(letter))
        })
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cell({self})")
    }
}

/// Text that names no place or cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPlace {
    /// Not two decimal numbers.
    #[error("a place is written as latitude,longitude, such as 28.6139,77.2090")]
    Unreadable,
    /// Beyond a pole or the date line.
    #[error("a latitude is between -90 and 90, a longitude between -180 and 180")]
    OffTheMap,
    /// A letter that geohashes do not use, or a wrong length.
    #[error("a geohash has 1 to 12 of the letters 0-9 and b-z without a, i, l, o")]
    NotACell,
}

const DEGREE: i32 = 10_000_000;
const EARTH_RADIUS_M: f64 = 6_371_008.8;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Cell {
        text.parse().expect("a cell")
    }

    #[test]
    fn published_places_have_their_published_cells() {
        for (place, hash) in [
            ("57.64911,10.40744", "u4pruydqqvj"),
            ("42.605,-5.603", "ezs42"),
            ("37.8324,112.5584", "ww8p1r4t8"),
            ("-25.382708,-49.265506", "6gkzwgjzn820"),
        ] {
            let place: Place = place.parse().expect("a place");
            assert_eq!(Cell::of(place, hash.len() as u8).to_string(), hash);
        }
    }

    #[test]
    fn a_cell_holds_its_own_centre() {
        for hash in ["ezs42", "s", "7zzzzzzzzzzz", "bpbpbpbpbpbp", "tdr1v9q"] {
            assert_eq!(Cell::of(cell(hash).centre(), hash.len() as u8).to_string(), hash);
        }
    }

    #[test]
    fn neighbours_are_the_published_ones_and_wrap_at_the_date_line() {
        let around: Vec<String> = cell("dqcjq").neighbours().iter().map(Cell::to_string).collect();
        let published = ["dqcjw", "dqcjx", "dqcjr", "dqcjp", "dqcjn", "dqcjj", "dqcjm", "dqcjt"];
        assert_eq!(around, published);
        let east = Cell::of("0.1,179.999".parse().expect("a place"), 4);
        let west = Cell::of("0.1,-179.999".parse().expect("a place"), 4);
        assert!(east.neighbours().contains(&west));
        let pole = Cell::of("90,0".parse().expect("a place"), 5);
        assert_eq!(pole.neighbours().len(), 5);
    }

    #[test]
    fn what_is_not_a_place_is_refused() {
        for text in ["", "12", "91,0", "0,181", "1e3,0", "nan,nan", "--1,0", "1.2.3,0", "४,५"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        assert!("ail".parse::<Cell>().is_err());
        assert!("0123456789012".parse::<Cell>().is_err());
    }

    #[test]
    fn distances_are_right_to_half_a_per_cent() {
        let delhi: Place = "28.6139,77.2090".parse().expect("a place");
        let mumbai: Place = "19.0760,72.8777".parse().expect("a place");
        let km = delhi.distance_m(mumbai) / 1000;
        assert!((1_140..=1_160).contains(&km), "{km}");
        assert_eq!(delhi.distance_m(delhi), 0);
    }
}
