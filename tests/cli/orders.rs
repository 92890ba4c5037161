//! What the pretended daemon answers to orders.

use shunt::api::v1::*;
use tonic::Status;

use super::{attributes, fast, groups, intent, ospf, payments, text};

fn acknowledged(neighbor: &str, prefixes: &[&str], attributes: Option<&Attributes>) -> Delivery {
    Delivery {
        neighbor: text(neighbor),
        outcome: text("acknowledged"),
        prefixes: prefixes
            .iter()
            .map(|prefix| DeliveredPrefix {
                prefix: text(prefix),
                attributes: attributes.cloned(),
                ospf: None,
            })
            .collect(),
        acknowledged_us: 1_234,
    }
}

fn not_delivered(neighbor: &str, outcome: &str) -> Delivery {
    Delivery { neighbor: text(neighbor), outcome: text(outcome), ..Delivery::default() }
}

/// The reply to an order; what it says depends on the target, so that each kind of answer can be had.
pub fn order(request: &OrderRequest) -> Result<OrderReply, Status> {
    let standby = attributes("64500 64500 64500", "192.0.2.1", Some(100));
    let both = ["198.51.100.7/32", "2001:db8:7::1/128"];
    let in_force = |preference, level: &str, announcement: Announcement| Announcement {
        preference,
        level: text(level),
        intent: Some(Intent {
            target: request.target.clone(),
            order: request.order.clone(),
            preference,
            reason: request.reason.clone(),
            expires: if request.for_seconds > 0 { intent().expires } else { String::new() },
            ..intent()
        }),
        ..announcement
    };
    let done = OrderReply {
        announcements: both.map(|prefix| in_force(100, "standby", payments(prefix))).into(),
        deliveries: vec![
            acknowledged("isp-a", &both[..1], Some(&standby)),
            acknowledged("isp-b", &both, Some(&standby)),
            not_delivered("core", "not-established"),
            ospf::acknowledged(15_500),
        ],
        durable_us: 412,
        total_us: 1_301,
        ..OrderReply::default()
    };
    match (request.target.as_str(), request.order.as_str()) {
        (_, "vrrp-release" | "vrrp-resume") => fast::order(request),
        ("", "drain") => Ok(OrderReply {
            announcements: both.map(|prefix| in_force(10, "drain", payments(prefix))).into(),
            deliveries: vec![
                acknowledged(
                    "isp-a",
                    &both[..1],
                    Some(&attributes("64500", "192.0.2.1", Some(200))),
                ),
                ospf::acknowledged(24_500),
            ],
            drain: Some(ospf::drain()),
            ..done
        }),
        ("", "undrain") => Ok(OrderReply {
            announcements: both.map(payments).into(),
            deliveries: done.deliveries[..1]
                .iter()
                .chain([&ospf::acknowledged(15_500)])
                .cloned()
                .collect(),
            ..done
        }),
        ("payments", "withdraw") => Ok(OrderReply {
            announcements: both.map(|prefix| in_force(0, "", payments(prefix))).into(),
            deliveries: vec![
                acknowledged("isp-a", &both[..1], None),
                acknowledged("isp-b", &both, None),
            ],
            ..done
        }),
        ("payments", "release") => Ok(OrderReply {
            announcements: both
                .map(|prefix| Announcement {
                    preference: 200,
                    level: text("primary"),
                    intent: None,
                    ..payments(prefix)
                })
                .into(),
            deliveries: vec![
                acknowledged("isp-a", &both[..1], Some(&attributes("64500", "192.0.2.1", Some(0)))),
                Delivery { acknowledged_us: 0, ..not_delivered("isp-b", "unchanged") },
            ],
            ..done
        }),
        ("payments", _) if request.no_wait => Ok(OrderReply {
            deliveries: done
                .deliveries
                .into_iter()
                .map(|delivery| match delivery.outcome.as_str() {
                    "acknowledged" => {
                        Delivery { outcome: text("sent"), acknowledged_us: 0, ..delivery }
                    }
                    _ => delivery,
                })
                .collect(),
            ..done
        }),
        ("payments", _) => Ok(done),
        ("198.51.100.128/25", _) => Ok(OrderReply {
            announcements: vec![in_force(150, "", groups().prefixes[0].clone())],
            deliveries: vec![not_delivered("isp-b", "unchanged")],
            unchanged: true,
            ..done
        }),
        ("deaf", _) => Ok(OrderReply {
            deliveries: vec![
                acknowledged("isp-a", &both[..1], Some(&standby)),
                not_delivered("isp-b", "timeout"),
                not_delivered("core", "lost"),
            ],
            ..done
        }),
        ("alone", _) => {
            Ok(OrderReply { deliveries: vec![not_delivered("isp-a", "not-established")], ..done })
        }
        ("secret", _) => Err(Status::permission_denied(
            "you (uid 1000) may not change anything: that takes root or a member of group shunt",
        )),
        ("full-disk", _) => {
            Err(Status::internal("cannot store the order: disk full; nothing was changed"))
        }
        ("192.0.2.0/24", _) => Err(Status::invalid_argument(
            "192.0.2.0/24 is not within own-prefixes (198.51.100.0/24, 2001:db8::/32)",
        )),
        (target, _) => Err(Status::not_found(format!(
            "no group or prefix `{target}`; did you mean `payments`?"
        ))),
    }
}
