use shunt::config::ServiceProbe;
use shunt::health::{Http, Method};

use crate::{check, good};

#[track_caller]
fn probe(lines: &str) -> ServiceProbe {
    good(&format!("[group.shop.probe]\n{lines}")).switching["shop"].probe.clone().expect("a probe")
}

#[track_caller]
fn check_probe(lines: &str, expected: &str) {
    check(&format!("[group.shop.probe]\n{lines}"), expected);
}

fn http(method: &Method) -> &Http {
    match method {
        Method::Http(http) => http,
        other => panic!("{other:?}"),
    }
}

const ANSWER: &str = "answer = { dc1 = \"from dc1\", dc2 = \"from dc2\" }";

#[test]
fn the_banner_of_a_service_tells_its_site() {
    let probe = probe(&format!("tcp = \"203.0.113.7:443\"\nsend = \"WHO\"\n{ANSWER}"));
    let to = "203.0.113.7:443".parse().unwrap();
    let anywhere = Method::Tcp { to, send: Vec::new(), expect: None };
    assert_eq!(probe.anywhere.method, anywhere, "a connection is enough");
    let of = |site: &str| &probe.by_site[site].method;
    let expected = |text: &str| Method::Tcp {
        to,
        send: b"WHO".to_vec(),
        expect: Some(text.as_bytes().to_vec()),
    };
    assert_eq!(of("dc1"), &expected("from dc1"));
    assert_eq!(of("dc2"), &expected("from dc2"));
    assert_eq!(probe.socket(), Some(to));
}

#[test]
fn the_body_of_a_page_tells_its_site_or_a_header_field() {
    let url =
        "http = \"https://shop.example/site\"\naddress = \"2001:db8::7\"\ntimeout = \"300ms\"";
    let body = probe(&format!("{url}\n{ANSWER}"));
    assert_eq!(http(&body.anywhere.method).body, None);
    let dc2 = &body.by_site["dc2"];
    assert_eq!(http(&dc2.method).body.as_deref(), Some("from dc2"));
    assert_eq!(
        (http(&dc2.method).to, dc2.timeout.as_millis()),
        ("[2001:db8::7]:443".parse().unwrap(), 300)
    );

    let header = probe(&format!("{url}\nmethod = \"head\"\nheader = \"X-Site\"\n{ANSWER}"));
    let field = |method: &Method| http(method).header.clone().unwrap();
    assert_eq!(field(&header.anywhere.method), ("X-Site".into(), String::new()));
    assert_eq!(field(&header.by_site["dc1"].method), ("X-Site".into(), "from dc1".into()));

    let both = probe(&format!("{url}\nheader = \"X-Ready: yes\"\n{ANSWER}"));
    let dc1 = http(&both.by_site["dc1"].method);
    assert_eq!(dc1.header, Some(("X-Ready".into(), "yes".into())));
    assert_eq!(dc1.body.as_deref(), Some("from dc1"));
}

#[test]
fn what_tells_no_site_can_be_asked_as_well() {
    let echo = probe("icmp = \"203.0.113.7\"");
    assert!(echo.by_site.is_empty() && echo.socket().is_none());
    assert!(probe("grpc = \"203.0.113.7:50051\"").by_site.is_empty());
    let banner = probe("tcp = \"203.0.113.7:25\"\nexpect = \"220\"");
    let Method::Tcp { expect, .. } = &banner.anywhere.method else { panic!() };
    assert_eq!(expect.as_deref(), Some(b"220".as_slice()));
}

#[test]
fn only_the_group_is_asked() {
    check_probe(
        "tcp = \"203.0.113.9:443\"",
        r#"
error: 203.0.113.9 is not in the group
  --> shunt.toml:15:7
   |
15 | tcp = "203.0.113.9:443"
   |       ^^^^^^^^^^^^^^^^^ would be asked wherever the group is
   |
   = help: the group's prefixes are: 203.0.113.7/32, 2001:db8::7/128
"#,
    );
    check_probe(
        "http = \"http://203.0.113.7/\"\nicmp = \"203.0.113.7\"",
        r#"
error: `icmp` beside `http`
  --> shunt.toml:16:8
   |
15 | http = "http://203.0.113.7/"
   |        --------------------- asks this
16 | icmp = "203.0.113.7"
   |        ^^^^^^^^^^^^^ a check asks one thing
"#,
    );
    check_probe(
        "interval = \"1s\"",
        r#"
error: [group.shop.probe] asks nothing
  --> shunt.toml:14:1
   |
14 | [group.shop.probe]
   | ^^^^^^^^^^^^^^^^^^ nothing to check
   |
   = help: one of: tcp, http, grpc, icmp

error: unknown key `interval`
  --> shunt.toml:15:1
   |
15 | interval = "1s"
   | ^^^^^^^^ not a key of [group.shop.probe]
   |
   = help: the keys are: tcp, http, grpc, icmp, send, expect, address, method, status, header, body, service, tls, server-name, verify, ca-file, connect-timeout, timeout, source-address, interface, mark, answer
"#,
    );
}

#[test]
fn an_answer_tells_one_site_from_the_others() {
    check_probe(
        "tcp = \"203.0.113.7:443\"\nanswer = { dc1 = \"dc\", dc3 = \"dc3\" }",
        r#"
error: `answer` says nothing of dc2
  --> shunt.toml:16:10
   |
16 | answer = { dc1 = "dc", dc3 = "dc3" }
   |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^ each site of the group has a text of its own

error: unknown site `dc3`
  --> shunt.toml:16:24
   |
16 | answer = { dc1 = "dc", dc3 = "dc3" }
   |                        ^^^ `base` of the group has: dc1, dc2
   |
   = help: did you mean `dc1`?
"#,
    );
    check_probe(
        "tcp = \"203.0.113.7:443\"\nanswer = { dc1 = \"dc\", dc2 = \"dc2\" }",
        r#"
error: the answer of dc2 contains that of dc1
  --> shunt.toml:16:18
   |
16 | answer = { dc1 = "dc", dc2 = "dc2" }
   |                  ^^^^        ----- of dc2
   |                  |
   |                  would not tell one from the other
"#,
    );
    check_probe(
        "tcp = \"203.0.113.7:443\"\nanswer = { dc1 = \"\", dc2 = \"same\" }",
        r#"
error: the answer of `dc1` is empty
  --> shunt.toml:16:18
   |
16 | answer = { dc1 = "", dc2 = "same" }
   |                  ^^ expected a text
"#,
    );
}

#[test]
fn an_answer_has_one_place() {
    let beside = |lines: &str| format!("{lines}\nanswer = {{ dc1 = \"1\", dc2 = \"2\" }}");
    check_probe(
        &beside("http = \"http://203.0.113.7/\"\nmethod = \"head\""),
        r#"
error: `answer` of a HEAD request
  --> shunt.toml:17:10
   |
17 | answer = { dc1 = "1", dc2 = "2" }
   |          ^^^^^^^^^^^^^^^^^^^^^^^^ never found: there is no body
   |
   = help: name the field that tells the site: `header = "X-Site"`
"#,
    );
    check_probe(
        &beside("tcp = \"203.0.113.7:25\"\nexpect = \"220\""),
        r#"
error: `expect` beside `answer`
  --> shunt.toml:16:10
   |
16 | expect = "220"
   |          ^^^^^ a second text in the same place
17 | answer = { dc1 = "1", dc2 = "2" }
   |          ------------------------ looks for one text for each site
"#,
    );
    check_probe(
        &beside("icmp = \"203.0.113.7\""),
        r#"
error: `answer` where the answer has no text
  --> shunt.toml:16:10
   |
16 | answer = { dc1 = "1", dc2 = "2" }
   |          ^^^^^^^^^^^^^^^^^^^^^^^^ has no effect: it is for tcp and http
"#,
    );
}
