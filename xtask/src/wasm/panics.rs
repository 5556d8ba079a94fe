//! What a panic would say is taken out of the device library.
//!
//! On this target a panic has nowhere to write: the standard library builds the message, throws it away and traps.
//! So each of its functions that only does that becomes the trap alone, its words and the places in the source that
//! it would have named become zeros, and what `Debug` would have printed into the message prints nothing. A panic
//! ends as it always did, and a device downloads less.
//!
//! Functions are known by their names. One that a later compiler names differently stays as it is, which costs
//! bytes and nothing else.

use std::ops::Range;

use walrus::ir::Value;
use walrus::{ConstExpr, DataKind, FunctionBuilder, FunctionId, FunctionKind, Module, ValType};

/// Functions that never return, by what their names hold.
const NEVER_RETURN: &[&str] = &[
    "]::alloc::handle_alloc_error",
    "]::cell::lazy::panic_poisoned",
    "]::cell::panic_already_",
    "]::option::expect_failed",
    "]::option::unwrap_failed",
    "]::panicking::",
    "]::raw_vec::capacity_overflow",
    "]::raw_vec::handle_error",
    "]::result::unwrap_failed",
    "]::slice::copy_from_slice_impl::len_mismatch_fail",
    "]::slice::index::slice_index_fail",
    "]::str::slice_error_fail",
    "]::vec::Vec<_, _>>::insert_mut::assert_failed",
    "]::vec::Vec<_, _>>::remove::assert_failed",
];

/// What they would have said, as far as it is long enough to be nobody else's.
const MESSAGES: &[&str] = &[
    "a formatting trait implementation returned an error when the underlying stream did not",
    "assertion failed: self.is_char_boundary(new_len)",
    "attempt to calculate the remainder with a divisor of zero",
    "attempt to divide by zero",
    "attempt to join into collection with len > usize::MAX",
    "called `Option::unwrap()` on a `None` value",
    "called `Result::unwrap()` on an `Err` value",
    "copy_from_slice: source slice length (",
    ") does not match destination slice length (",
    " is not a char boundary; it is inside ",
    " out of range for slice of length ",
    "LazyCell instance has previously been poisoned",
    "RefCell already borrowed",
    "RefCell already mutably borrowed",
    "Tried to shrink to a larger capacity",
    "`async fn` resumed after completion",
    "byte index ",
    "finish: callbacks should be Some",
    "finish: result should be None",
    "index out of bounds: the len is ",
    "insertion index (is ",
    ") should be <= len (is ",
    "internal error: entered unreachable code",
    "range end index ",
    "range start index ",
    "removal index (is ",
    ") should be < len (is ",
    "slice index starts at ",
];

/// How the name of every `Debug` ends, up to the digest that some have behind it.
const DEBUG: &str = "::fmt::Debug>::fmt";

/// Bytes of a `core::panic::Location`: the path's address and length, the line, the column.
const LOCATION_BYTES: usize = 16;

/// Takes it out, and returns how many functions say nothing any more.
pub(super) fn silence(module: &mut Module) -> usize {
    let bodies: Vec<(FunctionId, Body)> = module
        .funcs
        .iter_local()
        .filter_map(|(id, function)| {
            let body =
                Body::of(module.funcs.get(id).name.as_deref()?, module.types.get(function.ty()).results())?;
            Some((id, body))
        })
        .collect();
    for (id, body) in &bodies {
        let ty = module.types.get(module.funcs.get(*id).ty());
        let (parameters, results) = (ty.params().to_vec(), ty.results().to_vec());
        let arguments = parameters.iter().map(|ty| module.locals.add(*ty)).collect();
        let mut function = FunctionBuilder::new(&mut module.types, &parameters, &results);
        match body {
            Body::Trap => function.func_body().unreachable(),
            Body::Printed => function.func_body().i32_const(0),
        };
        module.funcs.get_mut(*id).kind = FunctionKind::Local(function.local_func(arguments));
    }
    let data: Vec<_> = module.data.iter().map(walrus::Data::id).collect();
    for id in data {
        let data = module.data.get_mut(id);
        if let DataKind::Active { offset: ConstExpr::Value(Value::I32(address)), .. } = data.kind {
            blank_locations(&mut data.value, address.cast_unsigned() as usize);
            blank_messages(&mut data.value);
        }
    }
    bodies.len()
}

/// What becomes of a function.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    Trap,
    /// Says that all went well, as `Ok(())` is zero.
    Printed,
}

impl Body {
    fn of(name: &str, results: &[ValType]) -> Option<Self> {
        let is_debug = name.split_once(DEBUG).is_some_and(|(_, digest)| !digest.contains("{closure"));
        match results {
            [] => NEVER_RETURN.iter().any(|known| name.contains(known)).then_some(Self::Trap),
            [ValType::I32] => is_debug.then_some(Self::Printed),
            _ => None,
        }
    }
}

/// Nothing else in the product looks like one: the address and the length of a path that ends with `.rs`.
fn blank_locations(data: &mut [u8], address: usize) {
    let mut blanks: Vec<Range<usize>> = Vec::new();
    let first = address.next_multiple_of(4) - address;
    for at in (first..data.len().saturating_sub(LOCATION_BYTES - 1)).step_by(4) {
        let word = |at: usize| data[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word) as usize);
        let Some(start) = word(at).checked_sub(address) else { continue };
        let path = start..start.saturating_add(word(at + 4));
        let is_path = |text: &[u8]| text.ends_with(b".rs") && text.iter().all(u8::is_ascii_graphic);
        if data.get(path.clone()).is_some_and(is_path) {
            blanks.extend([path, at..at + LOCATION_BYTES]);
        }
    }
    blanks.into_iter().for_each(|blank| data[blank].fill(0));
}

fn blank_messages(data: &mut [u8]) {
    for message in MESSAGES {
        while let Some(at) = data.windows(message.len()).position(|text| text == message.as_bytes()) {
            data[at..at + message.len()].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_returns_becomes_the_trap_and_all_else_stays() {
        let mut module = Module::default();
        let mut add = |name: &str, results: &[ValType]| {
            let mut function = FunctionBuilder::new(&mut module.types, &[ValType::I32], results);
            let mut body = function.func_body();
            body.i32_const(7);
            if results.is_empty() {
                body.drop();
            }
            let argument = module.locals.add(ValType::I32);
            let id = function.finish(vec![argument], &mut module.funcs);
            module.funcs.get_mut(id).name = Some(name.to_owned());
            id
        };
        let panics = add("core[c5930c85a12de822]::panicking::panic_fmt", &[]);
        let prints = add("<lead::Lead as core::fmt::Debug>::fmt::h0123456789abcdef", &[ValType::I32]);
        let others = [
            add("std[a543996e6e7dbf1e]::panicking::panic_count::increase", &[ValType::I32]),
            add("<lead::Lead as core::fmt::Display>::fmt::h0123456789abcdef", &[ValType::I32]),
            add("lead::save", &[]),
        ];
        assert_eq!(silence(&mut module), 2);
        let size = |id: FunctionId| module.funcs.get(id).kind.unwrap_local().size();
        let is_trap = |id: FunctionId| {
            let function = module.funcs.get(id).kind.unwrap_local();
            function.block(function.entry_block()).instrs[0].0.is_unreachable()
        };
        assert!(is_trap(panics) && !is_trap(prints));
        assert_eq!(size(prints), 1);
        assert!(others.into_iter().all(|id| !is_trap(id)));
    }

    #[test]
    fn only_places_in_the_source_are_blanked() {
        let (path, word) = ("src/lead.rs", "save");
        let address = 1_048_577_usize;
        let mut data = format!("\0\0\0{path}\0{word}").into_bytes();
        data.resize(data.len().next_multiple_of(4) - 1, 0);
        let mut place = |text: &str| {
            let start = String::from_utf8_lossy(&data).find(text).unwrap() + address;
            let at = data.len();
            for number in [start, text.len(), 12, 5] {
                data.extend(u32::try_from(number).unwrap().to_le_bytes());
            }
            at
        };
        let (place, other) = (place(path), place(word));
        let before = data.clone();
        blank_locations(&mut data, address);
        assert!(data[place..place + LOCATION_BYTES].iter().all(|byte| *byte == 0));
        assert_eq!(data[other..], before[other..]);
        let text = String::from_utf8_lossy(&data[..place]).into_owned();
        assert!(text.contains(word) && !text.contains(path));
    }
}
