//! Geometries in columns of a GeoPackage: a header, and Well-Known Binary.

/// Kinds of geometries, by their number in Well-Known Binary.
const KINDS: [&str; 7] =
    ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"];

/// A point with its coordinates; the kind of another geometry. None if the bytes are something else.
pub(super) fn geometry(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(b"GP")?;
    // The box around the geometry may stand before it.
    let envelope = match (rest.get(1)? >> 1) & 7 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        _ => return None,
    };
    let binary = rest.get(6 + envelope..)?;
    let is_little = *binary.first()? == 1;
    let kind: [u8; 4] = binary.get(1..5)?.try_into().ok()?;
    let kind = if is_little { u32::from_le_bytes(kind) } else { u32::from_be_bytes(kind) };
    let name = KINDS.get((kind % 1_000).checked_sub(1)? as usize)?;
    if *name != "POINT" {
        return Some(format!("({name}, {} bytes)", bytes.len()));
    }
    let number = |from: usize| {
        let bytes: [u8; 8] = binary.get(from..from + 8)?.try_into().ok()?;
        Some(if is_little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) })
    };
    let rounded = |value: f64| (value * 1e5).round() / 1e5;
    Some(format!("{name}({} {})", rounded(number(5)?), rounded(number(13)?)))
}

#[cfg(test)]
mod tests {
    use super::geometry;

    fn bytes(flags: u8, envelope: usize, kind: u32, numbers: &[f64]) -> Vec<u8> {
        let mut bytes = b"GP\0".to_vec();
        bytes.push(flags);
        bytes.extend([0; 4]);
        bytes.extend(vec![0; envelope]);
        bytes.push(1);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    #[test]
    fn geometries_are_named() {
        let point = bytes(1, 0, 1, &[69.183_333_333, -34.5]);
        assert_eq!(geometry(&point).as_deref(), Some("POINT(69.18333 -34.5)"));
        assert_eq!(geometry(&bytes(3, 32, 1_001, &[1.0, 2.0, 3.0])).as_deref(), Some("POINT(1 2)"));
        assert_eq!(geometry(&bytes(1, 0, 3, &[1.0; 9])).as_deref(), Some("(POLYGON, 85 bytes)"));
        assert_eq!(geometry(&bytes(1, 0, 9, &[1.0, 2.0])), None);
        assert_eq!(geometry(&bytes(14, 0, 1, &[1.0, 2.0])), None);
        assert_eq!(geometry(b"GPS"), None);
        for end in 0..point.len() {
            assert_eq!(geometry(&point[..end]), None);
        }
    }
}
