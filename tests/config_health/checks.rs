use shunt::health::{Http, Method, Origin, Query, RecordType, Settings, Tls};

use crate::{check, good, ms};

fn settings(lines: &str) -> Settings {
    good(&format!("[check.new]\n{lines}")).checks["new"].clone()
}

fn http(lines: &str) -> Http {
    match settings(lines).method {
        Method::Http(http) => *http,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_way_of_asking_is_read() {
    let method = |lines: &str| settings(lines).method;
    let to = |text: &str| text.parse().unwrap();
    assert_eq!(
        method("tcp = \"[2001:db8::6]:6379\"\nsend = \"PING\\r\\n\"\nexpect = \"PONG\""),
        Method::Tcp {
            to: to("[2001:db8::6]:6379"),
            send: b"PING\r\n".to_vec(),
            expect: Some(b"PONG".to_vec()),
        }
    );
    assert_eq!(
        method("tcp = \"10.0.0.6:25\"\nexpect = \"220 \""),
        Method::Tcp { to: to("10.0.0.6:25"), send: Vec::new(), expect: Some(b"220 ".to_vec()) }
    );
    assert_eq!(
        method("grpc = \"10.0.0.6:50051\"\nservice = \"payments\""),
        Method::Grpc { to: to("10.0.0.6:50051"), service: "payments".to_owned(), tls: None }
    );
    assert_eq!(
        method("icmp = \"2001:db8::6\""),
        Method::Icmp { to: "2001:db8::6".parse().unwrap() }
    );
    let query = |server: &str, record, expect: Option<&str>| {
        let expect = expect.map(|address| address.parse().unwrap());
        Method::Dns(Query { server: to(server), name: "db.example.".to_owned(), record, expect })
    };
    let name = "name = \"db.example.\"";
    assert_eq!(
        method(&format!("dns = \"10.0.0.53\"\n{name}")),
        query("10.0.0.53:53", RecordType::A, None)
    );
    assert_eq!(
        method(&format!(
            "dns = \"[::1]:5353\"\n{name}\nrecord = \"AAAA\"\nexpect = \"2001:db8::7\""
        )),
        query("[::1]:5353", RecordType::Aaaa, Some("2001:db8::7"))
    );
    assert_eq!(
        method("command = [\"/usr/local/bin/ask\", \"-x\"]"),
        Method::Command { words: vec!["/usr/local/bin/ask".to_owned(), "-x".to_owned()] }
    );
    let file = |present_is_up| Method::File { path: "/run/x".to_owned(), present_is_up };
    assert_eq!(method("file = \"/run/x\""), file(false));
    assert_eq!(method("file = \"/run/x\"\npresent = \"up\""), file(true));
    assert_eq!(
        method("backends = [\"web\", \"db\"]\nat-least = 1"),
        Method::Backends { of: vec!["web".to_owned(), "db".to_owned()], at_least: 1 }
    );
}

#[test]
fn a_request_is_as_its_url_says() {
    let asked = http("http = \"http://www.example.com:8080?x=1\"\naddress = \"10.0.0.6\"");
    assert_eq!(asked.to, "10.0.0.6:8080".parse().unwrap());
    assert_eq!((asked.host.as_str(), asked.path.as_str()), ("www.example.com:8080", "/?x=1"));
    assert_eq!(asked.tls, None);

    let lines =
        "status = [200, \"300-302\", \"404\"]\nheader = \"X-Ready: yes: 1\"\nmethod = \"head\"";
    let asked = http(&format!("http = \"https://[2001:db8::6]/\"\n{lines}"));
    assert_eq!(asked.to, "[2001:db8::6]:443".parse().unwrap());
    assert_eq!(asked.status, [200..=200, 300..=302, 404..=404]);
    assert_eq!(asked.header, Some(("X-Ready".to_owned(), "yes: 1".to_owned())));
    assert!(asked.head);
    assert_eq!(asked.tls.unwrap().server_name, "2001:db8::6");
    let asked = http("http = \"http://10.0.0.6\"\nheader = \"X-Ready\"\nbody = \"ok\"");
    assert_eq!(asked.header, Some(("X-Ready".to_owned(), String::new())));
    assert_eq!(asked.body.as_deref(), Some("ok"));
}

#[test]
fn tls_is_as_it_is_configured() {
    let lines =
        "server-name = \"api.example.com\"\nca-file = \"/etc/ca.pem\"\nexpiry-warning = \"30d\"";
    let expected = Tls {
        server_name: "api.example.com".to_owned(),
        verify: true,
        ca_file: Some("/etc/ca.pem".to_owned()),
        expiry_warning: ms(30 * 24 * 3600 * 1000),
    };
    let asked =
        http(&format!("http = \"https://www.example.com/\"\naddress = \"10.0.0.6\"\n{lines}"));
    assert_eq!(asked.host, "www.example.com", "the service hears the URL's");
    assert_eq!(asked.tls, Some(expected.clone()));
    let Method::Grpc { tls, .. } =
        settings(&format!("grpc = \"10.0.0.6:50051\"\ntls = true\n{lines}")).method
    else {
        panic!()
    };
    assert_eq!(tls, Some(expected));
    let unverified = http("http = \"https://10.0.0.6/\"\nverify = false").tls.unwrap();
    assert_eq!((unverified.server_name.as_str(), unverified.verify), ("10.0.0.6", false));
}

#[test]
fn a_check_comes_from_where_it_is_told() {
    let lines = "icmp = \"fe80::1\"\nsource-address = \"fe80::2\"\ninterface = \"eth1\"\nmark = 7";
    let expected = Origin {
        address: Some("fe80::2".parse().unwrap()),
        interface: Some("eth1".to_owned()),
        mark: 7,
        traffic_class: 0,
    };
    assert_eq!(settings(lines).origin, expected);
}

#[test]
fn a_check_asks_one_thing() {
    check(
        r#"[check.new]
interval = "1s""#,
        r#"
error: [check.new] asks nothing
  --> shunt.toml:26:1
   |
26 | [check.new]
   | ^^^^^^^^^^^ nothing to check
   |
   = help: one of: tcp, http, grpc, icmp, dns, command, file, backends
"#,
    );
    check(
        r#"[check.new]
tcp = "10.0.0.6:80"
icmp = "10.0.0.6""#,
        r#"
error: `icmp` beside `tcp`
  --> shunt.toml:28:8
   |
27 | tcp = "10.0.0.6:80"
   |       ------------- asks this
28 | icmp = "10.0.0.6"
   |        ^^^^^^^^^^ a check asks one thing
   |
   = help: add another section [check.NAME]
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6"
expect = "PONG"
connect-timeout = "1s""#,
        r#"
error: `expect` beside `icmp`
  --> shunt.toml:28:10
   |
27 | icmp = "10.0.0.6"
   |        ---------- what is asked
28 | expect = "PONG"
   |          ^^^^^^ has no effect: it is for tcp, dns

error: `connect-timeout` beside `icmp`
  --> shunt.toml:29:19
   |
27 | icmp = "10.0.0.6"
   |        ---------- what is asked
28 | expect = "PONG"
29 | connect-timeout = "1s"
   |                   ^^^^ has no effect: it is for tcp, http, grpc
"#,
    );
    check(
        r#"[check.new]
file = "/run/closed"
slow = "1s"
mark = 7"#,
        r#"
error: `slow` beside `file`
  --> shunt.toml:28:8
   |
27 | file = "/run/closed"
   |        ------------- what is asked
28 | slow = "1s"
   |        ^^^^ has no effect: it is for tcp, http, grpc, icmp, dns, command

error: `mark` beside `file`
  --> shunt.toml:29:8
   |
27 | file = "/run/closed"
   |        ------------- what is asked
28 | slow = "1s"
29 | mark = 7
   |        ^ has no effect: it is for tcp, http, grpc, icmp, dns
"#,
    );
    check(
        r#"[check]
tcp = "10.0.0.6:80""#,
        r#"
error: `tcp` in [check], not in a [check.NAME]
  --> shunt.toml:27:1
   |
27 | tcp = "10.0.0.6:80"
   | ^^^ belongs to no name
   |
   = help: write the section's head as [check.NAME]
"#,
    );
    check(
        r#"[check.New]
tcp = "10.0.0.6:80""#,
        r#"
error: `New` cannot be a name
  --> shunt.toml:26:8
   |
26 | [check.New]
   |        ^^^ a name is made of small letters, digits and `-`, at most 63 of them
"#,
    );
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
intervall = "1s""#,
        r#"
error: unknown key `intervall`
  --> shunt.toml:28:1
   |
28 | intervall = "1s"
   | ^^^^^^^^^ not a key of [check.new]
   |
   = help: did you mean `interval`?
"#,
    );
}

/// Names are not looked up.
#[test]
fn who_is_asked_is_an_address() {
    check(
        r#"[check.new]
tcp = "db.example.com:5432""#,
        r#"
error: `db.example.com:5432` is not an address and a port
  --> shunt.toml:27:7
   |
27 | tcp = "db.example.com:5432"
   |       ^^^^^^^^^^^^^^^^^^^^^ names are not looked up: a check shall not fail with the DNS
   |
   = help: written like "192.0.2.80:5432"
"#,
    );
    check(
        r#"[check.new]
tcp = "10.0.0.6""#,
        r#"
error: `10.0.0.6` has no port
  --> shunt.toml:27:7
   |
27 | tcp = "10.0.0.6"
   |       ^^^^^^^^^^ expected an address and a port
   |
   = help: written like "10.0.0.6:5432"
"#,
    );
    check(
        r#"[check.new]
grpc = "10.0.0.6:0""#,
        r#"
error: `10.0.0.6:0` has port 0
  --> shunt.toml:27:8
   |
27 | grpc = "10.0.0.6:0"
   |        ^^^^^^^^^^^^ expected 1 to 65535
"#,
    );
    check(
        r#"[check.new]
icmp = "10.0.0.6:7""#,
        r#"
error: `10.0.0.6:7` is not an address
  --> shunt.toml:27:8
   |
27 | icmp = "10.0.0.6:7"
   |        ^^^^^^^^^^^^ expected an address
   |
   = help: written like "192.0.2.80"
"#,
    );
    check(
        r#"[check.new]
icmp = "224.0.0.5""#,
        r#"
error: 224.0.0.5 is not the address of one machine
  --> shunt.toml:27:8
   |
27 | icmp = "224.0.0.5"
   |        ^^^^^^^^^^^ expected a unicast address
"#,
    );
    check(
        r#"[check.new]
dns = "ns.example.com"
name = "example.com.""#,
        r#"
error: `ns.example.com` is not an address
  --> shunt.toml:27:7
   |
27 | dns = "ns.example.com"
   |       ^^^^^^^^^^^^^^^^ names are not looked up: a check shall not fail with the DNS
   |
   = help: written like "192.0.2.53"
"#,
    );
    check(
        r#"[check.new]
icmp = "fe80::1""#,
        r#"
error: fe80::1 is a link-local address
  --> shunt.toml:27:8
   |
27 | icmp = "fe80::1"
   |        ^^^^^^^^^ does not say on which link
   |
   = help: add a line such as `interface = "eth1"`
"#,
    );
    check(
        r#"[check.new]
tcp = "[2001:db8::6]:80"
source-address = "10.0.0.1""#,
        r#"
error: `source-address` is of the other address family
  --> shunt.toml:28:18
   |
27 | tcp = "[2001:db8::6]:80"
   |       ------------------ IPv6 is asked
28 | source-address = "10.0.0.1"
   |                  ^^^^^^^^^^ IPv4
"#,
    );
}

#[test]
fn a_name_in_a_url_has_an_address() {
    check(
        r#"[check.new]
http = "https://www.example.com/health""#,
        r#"
error: [check.new] has no `address`
  --> shunt.toml:27:8
   |
27 | http = "https://www.example.com/health"
   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `www.example.com` is a name, and names are not looked up
   |
   = help: add a line such as `address = "192.0.2.80"`: a check shall not fail with the DNS
"#,
    );
    check(
        r#"[check.new]
http = "https://10.0.0.6/health"
address = "10.0.0.7""#,
        r#"
error: `address` beside a URL that has one
  --> shunt.toml:28:11
   |
27 | http = "https://10.0.0.6/health"
   |        ------------------------- asks this address
28 | address = "10.0.0.7"
   |           ^^^^^^^^^^ has no effect
   |
   = help: put the name into the URL if the service is to hear it
"#,
    );
    check(
        r#"[check.new]
http = "10.0.0.6/health""#,
        r#"
error: `10.0.0.6/health` cannot be asked
  --> shunt.toml:27:8
   |
27 | http = "10.0.0.6/health"
   |        ^^^^^^^^^^^^^^^^^ expected http:// or https://
   |
   = help: written like "http://192.0.2.80:8080/health"
"#,
    );
    check(
        r#"[check.new]
http = "http://2001:db8::6/""#,
        r#"
error: `http://2001:db8::6/` cannot be asked
  --> shunt.toml:27:8
   |
27 | http = "http://2001:db8::6/"
   |        ^^^^^^^^^^^^^^^^^^^^^ an IPv6 address goes in brackets
   |
   = help: written like "http://192.0.2.80:8080/health"
"#,
    );
}

#[test]
fn tls_has_its_keys_and_nothing_else_has_them() {
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
verify = false
server-name = "www.example.com""#,
        r#"
error: `verify` without TLS
  --> shunt.toml:28:10
   |
28 | verify = false
   |          ^^^^^ has no effect: the URL begins with http://

error: `server-name` without TLS
  --> shunt.toml:29:15
   |
29 | server-name = "www.example.com"
   |               ^^^^^^^^^^^^^^^^^ has no effect: the URL begins with http://
"#,
    );
    check(
        r#"[check.new]
grpc = "10.0.0.6:50051"
ca-file = "/etc/ca.pem""#,
        r#"
error: `ca-file` without TLS
  --> shunt.toml:28:11
   |
28 | ca-file = "/etc/ca.pem"
   |           ^^^^^^^^^^^^^ has no effect: add `tls = true`
"#,
    );
    check(
        r#"[check.new]
grpc = "10.0.0.6:50051"
tls = true
verify = false
ca-file = "/etc/ca.pem""#,
        r#"
error: `ca-file` with `verify = false`
  --> shunt.toml:30:11
   |
29 | verify = false
   |          ----- takes any certificate
30 | ca-file = "/etc/ca.pem"
   |           ^^^^^^^^^^^^^ has no effect
"#,
    );
    check(
        r#"[check.new]
http = "https://10.0.0.6/"
server-name = "www example"
ca-file = "ca.pem"
expiry-warning = "2y""#,
        r#"
error: `www example` is not a host's name
  --> shunt.toml:28:15
   |
28 | server-name = "www example"
   |               ^^^^^^^^^^^^^ no certificate is for it
   |
   = help: written like "www.example.com"

error: `ca.pem` is not an absolute path
  --> shunt.toml:29:11
   |
29 | ca-file = "ca.pem"
   |           ^^^^^^^^ must begin with `/`

error: `expiry-warning` must be a span of time
  --> shunt.toml:30:18
   |
30 | expiry-warning = "2y"
   |                  ^^^^ not a span of time
   |
   = help: written like "90s", "8m" or "1m30s"
"#,
    );
}
