//! The repositories of the next lines: the reader announces them before a worker starts, so that one
//! token can cover several.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Side;
use crate::reference::Repository;

/// The maximum number kept; beyond it the oldest are dropped. More than the reader is ahead of the
/// workers on both sides.
const MOST: usize = 512;

/// Announced repositories without a token request, in the order of the list.
#[derive(Debug, Default)]
pub struct Upcoming(Mutex<VecDeque<(Side, Repository)>>);

impl Upcoming {
    /// Announces a repository.
    pub fn add(&self, side: Side, repository: &Repository) {
        let mut queue = self.lock();
        // Further tags of the same repository, which usually follow each other.
        let mut last = queue.iter().rev().take(2);
        if last.any(|(known, name)| *known == side && name == repository) {
            return;
        }
        if queue.len() >= MOST {
            queue.pop_front();
        }
        queue.push_back((side, repository.clone()));
    }

    /// Removes a repository for which a token is requested.
    pub fn remove(&self, side: Side, repository: &Repository) {
        self.lock()
            .retain(|(known, name)| *known != side || name != repository);
    }

    /// Removes and returns the next wanted repository of this registry and side from `start` on; `start`
    /// moves past the unwanted ones.
    pub fn next(
        &self,
        side: Side,
        registry: &str,
        start: &mut usize,
        wanted: impl Fn(&Repository) -> bool,
    ) -> Option<Repository> {
        loop {
            let repository = {
                let queue = self.lock();
                let mut rest = queue.iter().enumerate().skip(*start);
                let (index, (_, name)) =
                    rest.find(|(_, (known, name))| *known == side && name.registry == registry)?;
                *start = index;
                name.clone()
            };
            // The lookup of credentials may be slow: it runs without the lock.
            if wanted(&repository) {
                self.remove(side, &repository);
                return Some(repository);
            }
            *start += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Side, Repository)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(registry: &str, path: &str) -> Repository {
        Repository {
            registry: registry.to_owned(),
            path: path.to_owned(),
        }
    }

    fn rest(upcoming: &Upcoming, side: Side, wanted: impl Fn(&Repository) -> bool) -> Vec<String> {
        let mut start = 0;
        std::iter::from_fn(|| upcoming.next(side, "reg.io", &mut start, &wanted))
            .map(|repository| repository.path)
            .collect()
    }

    #[test]
    fn scopes_come_in_list_order_for_one_registry_and_side() {
        let upcoming = Upcoming::default();
        for path in ["a", "a", "b", "c"] {
            upcoming.add(Side::Source, &repository("reg.io", path));
            upcoming.add(
                Side::Destination,
                &repository("reg.io", &format!("m/{path}")),
            );
            upcoming.add(Side::Source, &repository("other.io", path));
        }
        upcoming.remove(Side::Source, &repository("reg.io", "b"));
        assert_eq!(rest(&upcoming, Side::Source, |_| true), ["a", "c"]);
        let destinations = rest(&upcoming, Side::Destination, |name| name.path != "m/a");
        assert_eq!(destinations, ["m/b", "m/c"]);
        assert_eq!(rest(&upcoming, Side::Destination, |_| true), ["m/a"]);
    }

    #[test]
    fn the_number_of_kept_repositories_is_bounded() {
        let upcoming = Upcoming::default();
        for number in 0..10 * MOST {
            upcoming.add(Side::Source, &repository("reg.io", &number.to_string()));
        }
        let kept = rest(&upcoming, Side::Source, |_| true);
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept[MOST - 1], (10 * MOST - 1).to_string());
    }
}
