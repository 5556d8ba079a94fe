//! The tables of `core` that say which characters `Debug` prints as they are, taken out of the device library.
//!
//! The messages of panics print texts that way. When [`super::panics`] has silenced those, nobody asks any more, but the
//! linker has long put the tables in, and they are what compresses worst in the whole module.
//!
//! A table is known by its length and digest. One that a later compiler brings stays as it is, which costs bytes
//! and nothing else.

use walrus::Module;

/// What the names of the functions hold that read them.
const READERS: &str = "]::unicode::printable::";

/// Length and FNV-1a digest, as of Rust 1.95.
const TABLES: [(usize, u64); 6] = [
    (76, 0x61ee_f5dd_8fac_da4e),
    (92, 0x2b0d_84bd_aec1_4efa),
    (212, 0xd9cb_cd15_76a1_8aec),
    (284, 0x109e_f42f_1880_43ca),
    (292, 0xcc7a_e433_142f_0332),
    (504, 0x4619_7915_72e8_2059),
];

/// Whether somebody can read the tables.
pub(super) fn are_read(module: &Module) -> bool {
    module.funcs.iter().any(|function| function.name.as_deref().is_some_and(|name| name.contains(READERS)))
}

/// Takes them out.
pub(super) fn blank(module: &mut Module) {
    let data: Vec<_> = module.data.iter().map(walrus::Data::id).collect();
    for id in data {
        let bytes = &mut module.data.get_mut(id).value;
        for table in &TABLES {
            blank_table(bytes, table);
        }
    }
}

fn blank_table(data: &mut [u8], (length, digest): &(usize, u64)) -> bool {
    let found = data.windows(*length).position(|window| fnv_1a(window) == *digest);
    if let Some(at) = found {
        data[at..at + length].fill(0);
    }
    found.is_some()
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_blanked_where_it_stands_and_nothing_else_is() {
        let table = b"a table";
        let known = (table.len(), fnv_1a(table));
        let mut data = b"before a table after".to_vec();
        assert!(blank_table(&mut data, &known));
        assert_eq!(data, b"before \0\0\0\0\0\0\0 after");
        assert!(!blank_table(&mut data, &known));
    }

    #[test]
    fn fnv_1a_is_that_of_its_authors() {
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
