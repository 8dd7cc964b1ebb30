//! The nodes of a cluster: whose turn it is, and who is left alone for a while.

use std::time::Duration;

use crate::sink::Transport;
use crate::sink::wait::Wait;

/// One node.
pub(super) struct Node {
    pub(super) url: String,
    pub(super) transport: Box<dyn Transport>,
    /// Requests that it has not answered.
    pub(super) in_flight: usize,
    /// Set while it is left alone, and until it answers again.
    pub(super) wait: Option<Wait>,
}

impl Node {
    /// Whether it may be sent a request now. A node that failed is sent one, and has to answer it first.
    fn is_ready(&self, now: Duration) -> bool {
        self.wait.as_ref().is_none_or(|wait| now >= wait.until && self.in_flight == 0)
    }
}

/// The node to send to: of those that may be sent a request now the one with the fewest open, in turn where
/// several have as few. A node that takes requests and does not answer holds up no more than its share.
pub(super) fn pick(nodes: &[Node], turn: &mut usize, now: Duration) -> Option<usize> {
    let count = nodes.len().max(1);
    let ready = (*turn..*turn + count)
        .map(|at| at % count)
        .filter_map(|at| Some((at, nodes.get(at).filter(|node| node.is_ready(now))?)));
    let (found, _) = ready.min_by_key(|(_, node)| node.in_flight)?;
    *turn = (found + 1) % count;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Transport for Nowhere {
        fn start(&mut self, _ticket: u64, _request: crate::sink::Request) {}
        fn poll(&mut self) -> Option<(u64, Result<crate::sink::Response, String>)> {
            None
        }
    }

    #[test]
    fn the_idlest_node_is_next_and_a_failed_one_when_its_time_has_come() {
        let node = |in_flight, until: Option<u64>| Node {
            url: String::new(),
            transport: Box::new(Nowhere),
            in_flight,
            wait: until.map(|until| Wait::until(Duration::from_secs(until))),
        };
        let picked =
            |nodes: &[Node], turn: usize, now| pick(nodes, &mut turn.clone(), Duration::from_secs(now));
        let nodes = [node(1, None), node(1, None), node(0, Some(5))];
        assert_eq!(
            (picked(&nodes, 0, 1), picked(&nodes, 1, 1), picked(&nodes, 2, 1)),
            (Some(0), Some(1), Some(0))
        );
        assert_eq!(picked(&nodes, 0, 5), Some(2));
        assert_eq!(picked(&[node(3, None), node(1, None)], 0, 1), Some(1));
        assert_eq!((picked(&[node(1, Some(5))], 0, 9), picked(&[], 0, 9)), (None, None));
    }
}
