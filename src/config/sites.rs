//! `[site.*]`: which router stands where, and what that lets us see of other sites.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::fleet::Member;
use super::groups::folded;
use super::neighbor::{Import, Neighbor};
use super::node::{NodeParts, router_id};
use super::report::Report;
use super::section::{Entry, Section, head};
use super::value;
use crate::group::{Effect, Group, SiteId};
use crate::types::{Family, Preference, RouterId};

pub(super) const KEYS: &[&str] = &["id", "routers"];

pub(super) type Sites = BTreeMap<String, BTreeSet<RouterId>>;
pub(super) type SiteIds = BTreeMap<String, SiteId>;

/// What the sites are checked against.
pub(super) struct Context<'a> {
    pub node: &'a NodeParts,
    /// OSPF's, where that is another one than BGP's.
    pub own_router_id: Option<RouterId>,
    /// Routers of their sites as well.
    pub members: &'a [Member<'a>],
}

/// Which site has each router, and where the first section that says so does.
type Taken<'t> = BTreeMap<RouterId, (&'t str, Range<usize>)>;

pub(super) fn read(
    root: &Section<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> (Sites, SiteIds) {
    let (mut sites, mut ids) = (Sites::new(), SiteIds::new());
    let mut taken = Taken::new();
    for Entry { key, key_span, value } in root.named("site", report) {
        if let Err(wrong) = value::wide_name(key) {
            wrong.report(key, key_span, report);
            continue;
        }
        if let Some(ours) = &context.node.site
            && key != ours
            && folded(key) == folded(ours)
        {
            report
                .at(key_span, format!("unknown site `{key}`"))
                .label("[node] spells it otherwise")
                .did_you_mean(Some(ours));
        }
        let Some(section) = Section::open(head("site", key), value, KEYS, report) else { continue };
        let has_members = context.members.iter().any(|member| member.stands_in(key));
        if has_members {
            section.report_missing("id", "id = 1", report);
        } else {
            section.report_missing("routers", "routers = [\"192.0.2.21\"]", report);
        }
        if let Some(id) = section.number("id", 1..=SiteId::MOST.into(), report).map(SiteId) {
            if let Some((other, _)) = ids.iter().find(|(_, taken)| **taken == id) {
                report
                    .at(section.span_of("id"), format!("two sites have the id {}", id.0))
                    .label(format!("`{other}` has it already"));
            }
            ids.insert(key.to_owned(), id);
        }
        let routers = section.list("routers", report, router_id);
        if routers.as_ref().is_some_and(Vec::is_empty) {
            report
                .at(section.span_of("routers"), "`routers` is empty")
                .label("expected at least one router id");
        }
        let routers = routers.unwrap_or_default();
        for router in &routers {
            let id = *router.get_ref();
            let is_ours = Some(id) == context.node.router_id || Some(id) == context.own_router_id;
            if is_ours && context.node.site.as_ref().is_some_and(|ours| ours != key) {
                report
                    .at(router.span(), format!("{id} is this node"))
                    .label(format!("not in {key}, says `site` of [node]"));
            }
            take(router, key, &mut taken, report);
        }
        sites.insert(key.to_owned(), value::inner(routers).into_iter().collect());
    }
    add_members(context.members, root, &mut sites, &mut taken, report);
    (sites, ids)
}

/// The nodes of the fleet are routers of their sites.
fn add_members<'t>(
    members: &'t [Member<'_>],
    root: &Section<'_>,
    sites: &mut Sites,
    taken: &mut Taken<'t>,
    report: &mut Report<'_>,
) {
    let named = root.names(&["site"]);
    let mut missing = BTreeSet::new();
    for Member { site, router_id, .. } in members {
        let Some(site) = site else { continue };
        let (name, span) = (*site.get_ref(), site.span());
        if !named.contains(name) && missing.insert(name) {
            report
                .at(span, format!("the fleet has nodes in `{name}`, but there is no [site.{name}]"))
                .label("has no number that routes could carry")
                .help(format!("add a section {} with a line such as `id = 1`", head("site", name)));
        }
        if let Some(id) = router_id {
            take(id, name, taken, report);
            sites.entry(name.to_owned()).or_default().insert(*id.get_ref());
        }
    }
}

/// Each router stands in one site.
fn take<'t>(
    router: &Spanned<RouterId>,
    site: &'t str,
    taken: &mut Taken<'t>,
    report: &mut Report<'_>,
) {
    let (id, span) = (*router.get_ref(), router.span());
    match taken.get(&id) {
        Some((other, first)) if *other != site => {
            report
                .at(span, format!("router {id} stands in two sites"))
                .label(format!("here in `{site}`"))
                .related(first.clone(), format!("and here in `{other}`"));
        }
        Some(_) => {}
        None => {
            taken.insert(id, (site, span));
        }
    }
}

/// What this node can know of announcements of other sites.
pub(super) struct Sight {
    /// With the one of all routers that no site has.
    other_sites: usize,
    /// Whose routes are learned, prefix by prefix. `None`: it is not known, as something could not be read.
    families: Option<BTreeSet<Family>>,
}

impl Sight {
    pub fn new(
        root: &Section<'_>,
        node: &NodeParts,
        sites: &Sites,
        neighbors: &BTreeMap<String, Neighbor>,
    ) -> Sight {
        let others = sites.keys().filter(|site| node.site.as_ref() != Some(site));
        let learning = neighbors.values().filter(|neighbor| neighbor.import == Some(Import::All));
        let by_bgp = learning.flat_map(|neighbor| neighbor.families.iter().copied());
        let by_ospf = root.has("ospf").then_some(Family::Ipv4);
        let all_read = neighbors.len() == root.names(&["neighbor"]).len();
        Sight {
            other_sites: others.count() + 1,
            families: all_read.then(|| by_bgp.chain(by_ospf).collect()),
        }
    }

    /// Whether others' announcements of some prefix of the group can be known.
    fn sees(&self, group: &Group) -> bool {
        let Some(families) = &self.families else { return true };
        group.prefixes.iter().any(|prefix| families.contains(&prefix.family()))
    }

    pub fn check_min_sites(&self, section: &Section<'_>, group: &Group, report: &mut Report<'_>) {
        let Some(least) = group.min_sites.filter(|least| *least > 0) else { return };
        let span = section.span_of("min-sites");
        if !self.sees(group) {
            report
                .at(span, "`min-sites` where no other site can be seen")
                .label("nothing would ever be withdrawn: no routes to the group are learned")
                .help(WAYS_TO_SEE);
        } else if usize::from(least) > self.other_sites {
            report
                .at(span, "`min-sites` is more than there are other sites")
                .label(format!("never so many: {} at most", self.other_sites))
                .help("name the routers of each site in [site.NAME]; all others are one more site");
        }
    }

    /// With the usual `min-sites`, one other site must be seen.
    pub fn check_withdrawal(
        &self,
        section: &Section<'_>,
        key: &str,
        effect: Option<Effect>,
        group: &Group,
        report: &mut Report<'_>,
    ) {
        let withdraws = effect == Some(Effect::Level(Preference::NONE));
        if withdraws && group.min_sites.is_none() && !self.sees(group) {
            report
                .at(
                    section.span_of(key),
                    format!("`{key}` withdraws, but no other site can be seen"),
                )
                .label("never withdrawn: another site must announce it first")
                .help(WAYS_TO_SEE);
        }
    }
}

const WAYS_TO_SEE: &str = "others are seen by [ospf] (IPv4) and by neighbors with `import = \"all\"`; \
                           `min-sites = 0` withdraws without looking";
