//! What is between the computers: each is at a port, which is a TAP device. What comes in at one goes out at all others, if the two
//! cables carry it; what is not for a computer, that one passes over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::Cable;

/// More than any packet of a network whose computers are told of 1,500 bytes.
const LARGEST_FRAME: usize = 65_536;

/// Its threads end when their devices are gone: they go with the namespaces in which they were put, or with the process.
pub(crate) struct Repeater {
    ports: Arc<[Port]>,
}

struct Port {
    device: SyncDevice,
    cable: Mutex<Cable>,
}

/// A packet under way. The number keeps the order of those that are due at the same time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Frame {
    due: Instant,
    number: u64,
    to: usize,
    bytes: Vec<u8>,
}

impl Repeater {
    /// Of these devices, which are made where this process is, and may be put elsewhere.
    pub(crate) fn of(devices: &[String]) -> io::Result<Self> {
        let port = |name: &String| {
            let device =
                DeviceBuilder::new().name(name).layer(Layer::L2).inherit_enable_state().build_sync()?;
            Ok(Port { device, cable: Mutex::default() })
        };
        let ports: Arc<[Port]> = devices.iter().map(port).collect::<io::Result<_>>()?;
        // Without a bound: a test sends little, and a cable that waits for others is none.
        let (carry, under_way) = channel();
        for from in 0..ports.len() {
            let (ports, carry) = (Arc::clone(&ports), carry.clone());
            thread::spawn(move || take_in(&ports, from, &carry));
        }
        let carried_by = Arc::clone(&ports);
        thread::spawn(move || give_out(&carried_by, &under_way));
        Ok(Self { ports })
    }

    /// From now on, the cable of this port is like this. What is under way arrives as it was sent.
    pub(crate) fn set_cable(&self, port: usize, cable: Cable) {
        *self.ports[port].cable.lock().unwrap_or_else(PoisonError::into_inner) = cable;
    }
}

impl Port {
    fn cable(&self) -> Cable {
        *self.cable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_in(ports: &[Port], from: usize, carry: &Sender<Frame>) {
    let mut chance = fastrand::Rng::new();
    let mut buffer = vec![0; LARGEST_FRAME];
    let mut number = 0;
    // An error says that the device is gone.
    while let Ok(length) = ports[from].device.recv(&mut buffer) {
        let Some(up) = ports[from].cable().carries(&mut chance) else { continue };
        let now = Instant::now();
        for (to, port) in ports.iter().enumerate().filter(|(to, _)| *to != from) {
            let Some(down) = port.cable().carries(&mut chance) else { continue };
            number += 1;
            let frame = Frame { due: now + up + down, number, to, bytes: buffer[..length].to_vec() };
            if carry.send(frame).is_err() {
                return;
            }
        }
    }
}

fn give_out(ports: &[Port], under_way: &Receiver<Frame>) {
    let mut waiting = BinaryHeap::new();
    loop {
        let next = waiting.peek().map(|Reverse(frame): &Reverse<Frame>| frame.due);
        let told = match next {
            None => under_way.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => under_way.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match told {
            Ok(frame) => waiting.push(Reverse(frame)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while waiting.peek().is_some_and(|Reverse(frame)| frame.due <= now) {
            if let Some(Reverse(frame)) = waiting.pop() {
                // A device that is down or gone takes nothing, as a socket without a plug.
                let _ = ports[frame.to].device.send(&frame.bytes);
            }
        }
    }
}
