//! The answers to `shunt routes`: a walk over the live RIB in portions, of which only what was asked for is shown.

use super::{Agent, text};
use crate::api::v1;
use crate::rib::{Candidate, Route, SourceId, Standing};
use crate::types::{Family, Prefix, PrefixError, Time};
use crate::wire::bgp::{Attributes, Community, CommunityError, ExtendedCommunity, LargeCommunity};

/// Routes shown at a time: to write their attributes as text is most of the work.
const SHOWN: usize = 100;

/// What of the RIB a client wants to see. All conditions must be met.
struct Selection {
    longer: Option<Prefix>,
    family: Option<Family>,
    source: Option<SourceId>,
    community: Option<AnyCommunity>,
    best: bool,
    lost: bool,
}

enum AnyCommunity {
    Standard(Community),
    Extended(ExtendedCommunity),
    Large(LargeCommunity),
}

impl Selection {
    fn read(request: &v1::RoutesRequest, agent: &Agent) -> Result<Selection, tonic::Status> {
        let invalid = |text: String| tonic::Status::invalid_argument(text);
        if request.best && request.lost {
            return Err(invalid("no path is both the best one and lost".to_owned()));
        }
        let longer = match request.longer.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|error: PrefixError| invalid(error.to_string()))?),
        };
        let family = match request.family.as_str() {
            "" => None,
            "ipv4" => Some(Family::Ipv4),
            "ipv6" => Some(Family::Ipv6),
            other => return Err(invalid(format!("unknown family `{other}`: ipv4 or ipv6"))),
        };
        let source = match request.neighbor.as_str() {
            "" => None,
            name => Some(agent.neighbor_named(name)?.source()),
        };
        let community = match request.community.as_str() {
            "" => None,
            text => Some(AnyCommunity::read(text).map_err(|error| invalid(error.to_string()))?),
        };
        let v1::RoutesRequest { best, lost, .. } = *request;
        Ok(Selection { longer, family, source, community, best, lost })
    }

    fn has(&self, candidate: &Candidate<'_>) -> bool {
        let lost = !matches!(candidate.standing, Standing::Best | Standing::Multipath);
        self.source.is_none_or(|source| source == candidate.route.source())
            && (!self.best || candidate.standing == Standing::Best)
            && (!self.lost || lost)
            && self.community.as_ref().is_none_or(|community| match &candidate.route {
                Route::Bgp(path) => community.is_in(path.attributes),
                Route::Igp(_) => false,
            })
    }
}

impl AnyCommunity {
    /// The three kinds are told apart by how they are written.
    fn read(text: &str) -> Result<AnyCommunity, CommunityError> {
        let is_number = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
        match (text.split(':').count(), text.starts_with("0x")) {
            (3, _) if is_number(text) => text.parse().map(AnyCommunity::Large),
            (3, _) | (_, true) => text.parse().map(AnyCommunity::Extended),
            _ => text.parse().map(AnyCommunity::Standard),
        }
    }

    fn is_in(&self, attributes: &Attributes) -> bool {
        match self {
            AnyCommunity::Standard(one) => attributes.communities.contains(one),
            AnyCommunity::Extended(one) => attributes.extended_communities.contains(one),
            AnyCommunity::Large(one) => attributes.large_communities.contains(one),
        }
    }
}

impl Agent {
    /// Routes in order behind the prefix `after`: what matches among at most the next `limit` prefixes, and the prefix to go on
    /// from, `None` at the end.
    pub fn routes(
        &self,
        request: &v1::RoutesRequest,
        after: Option<Prefix>,
        limit: usize,
        now: Time,
    ) -> Result<(Vec<v1::Route>, Option<Prefix>), tonic::Status> {
        let selection = Selection::read(request, self)?;
        let within = selection.longer.or(selection.family.map(Prefix::default_route));
        let mut prefixes = match (after, within) {
            // What a prefix covers stands right behind it.
            (None, Some(within)) => {
                let behind = self.rib.page(Some(within), limit.saturating_sub(1));
                [vec![within], behind].concat()
            }
            _ => self.rib.page(after, limit),
        };
        let mut is_end = prefixes.len() < limit;
        if let Some(within) = within {
            let inside = prefixes.iter().take_while(|prefix| within.covers(**prefix)).count();
            is_end |= inside < prefixes.len();
            prefixes.truncate(inside);
        }
        let mut routes = Vec::new();
        let mut last = None;
        for prefix in prefixes {
            if routes.len() == SHOWN {
                return Ok((routes, last));
            }
            last = Some(prefix);
            if selection.family.is_none_or(|family| family == prefix.family()) {
                routes.extend(self.route(prefix, &selection, now));
            }
        }
        Ok((routes, last.filter(|_| !is_end)))
    }

    /// The paths of a prefix that were asked for, if there are any.
    fn route(&self, prefix: Prefix, selection: &Selection, now: Time) -> Option<v1::Route> {
        let max_paths = usize::from(self.config.kernel.max_paths);
        let candidates = self.rib.candidates(prefix, max_paths);
        let chosen = candidates.iter().filter(|candidate| selection.has(candidate));
        let paths: Vec<v1::Path> =
            chosen.map(|candidate| self.path(prefix, candidate, now)).collect();
        (!paths.is_empty()).then(|| v1::Route {
            prefix: prefix.to_string(),
            paths,
            installed: self.fib.route(prefix).is_some_and(|route| route.observed.is_some()),
        })
    }

    pub(super) fn path(&self, prefix: Prefix, candidate: &Candidate<'_>, now: Time) -> v1::Path {
        let (standing, reason) = match &candidate.standing {
            Standing::Best => ("best", String::new()),
            Standing::Multipath => ("multipath", String::new()),
            Standing::Lost { reason, against } => {
                ("lost", format!("{reason}, against {}", self.source_name(*against)))
            }
            Standing::Unusable(why) => ("unusable", why.to_string()),
        };
        let (attributes, stale, ospf) = match candidate.route {
            Route::Bgp(path) => (Some(text::attributes(path.attributes)), path.stale, None),
            Route::Igp(_) => (None, false, self.ospf_path_to(prefix, now)),
        };
        v1::Path {
            source: self.source_name(candidate.route.source()),
            standing: standing.to_owned(),
            reason,
            attributes,
            stale,
            ospf,
        }
    }

    fn source_name(&self, source: SourceId) -> String {
        if source == SourceId::IGP {
            return "ospf".to_owned();
        }
        let named = self.neighbors.values().find(|neighbor| neighbor.source() == source);
        named.map_or("local".to_owned(), |neighbor| neighbor.name.clone())
    }
}
