use crate::check;

#[test]
fn an_answer_can_be_as_it_should_be() {
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
status = "200-299""#,
        r#"
error: `status` must be a list, not a string
  --> shunt.toml:28:10
   |
28 | status = "200-299"
   |          ^^^^^^^^^ expected a list
   |
   = help: in brackets: ["200-299"]
"#,
    );
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
status = [200, "299-200"]"#,
        r#"
error: `status` must be numbers from 200 to 599, or ranges of them
  --> shunt.toml:28:16
   |
28 | status = [200, "299-200"]
   |                ^^^^^^^^^ no status of an answer
   |
   = help: written like 204 or "200-299"
"#,
    );
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
status = []"#,
        r#"
error: `status` is empty
  --> shunt.toml:28:10
   |
28 | status = []
   |          ^^ no answer would be well
"#,
    );
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
header = "X Ready: yes""#,
        r#"
error: `X Ready` is not the name of a header field
  --> shunt.toml:28:10
   |
28 | header = "X Ready: yes"
   |          ^^^^^^^^^^^^^^ expected NAME: TEXT
   |
   = help: written like "X-Ready: yes"
"#,
    );
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
method = "head"
body = "ok""#,
        r#"
error: `body` of a HEAD request
  --> shunt.toml:29:8
   |
28 | method = "head"
   |          ------ only the head is asked for
29 | body = "ok"
   |        ^^^^ never found: there is no body
"#,
    );
    check(
        r#"[check.new]
http = "http://10.0.0.6/"
method = "post"
body = """#,
        r#"
error: `method` cannot be `post`
  --> shunt.toml:28:10
   |
28 | method = "post"
   |          ^^^^^^ expected one of: get, head

error: `body` is empty
  --> shunt.toml:29:8
   |
29 | body = ""
   |        ^^ expected a text
"#,
    );
    check(
        r#"[check.new]
tcp = "10.0.0.6:6379"
send = "PING""#,
        r#"
error: `send` without `expect`
  --> shunt.toml:28:8
   |
28 | send = "PING"
   |        ^^^^^^ nothing is waited for
   |
   = help: add a line such as `expect = "PONG"`
"#,
    );
    check(
        r#"[check.new]
dns = "10.0.0.53""#,
        r#"
error: [check.new] has no `name`
  --> shunt.toml:26:1
   |
26 | [check.new]
   | ^^^^^^^^^^^ `name` is missing
   |
   = help: add a line such as `name = "www.example.com."`
"#,
    );
    check(
        r#"[check.new]
dns = "10.0.0.53"
name = "example..com"
record = "MX""#,
        r#"
error: `example..com` is not a domain name
  --> shunt.toml:28:8
   |
28 | name = "example..com"
   |        ^^^^^^^^^^^^^^ cannot be asked for
   |
   = help: written like "www.example.com."

error: `record` cannot be `MX`
  --> shunt.toml:29:10
   |
29 | record = "MX"
   |          ^^^^ expected one of: A, AAAA, SOA
"#,
    );
    check(
        r#"[check.new]
dns = "10.0.0.53"
name = "example.com"
expect = "2001:db8::7""#,
        r#"
error: `expect` is not in such an answer
  --> shunt.toml:29:10
   |
29 | expect = "2001:db8::7"
   |          ^^^^^^^^^^^^^ an IPv6 address is in a record of type AAAA
   |
   = help: add `record = "AAAA"`
"#,
    );
    check(
        r#"[check.new]
dns = "10.0.0.53"
name = "example.com"
record = "SOA"
expect = "10.0.0.7""#,
        r#"
error: `expect` is not in such an answer
  --> shunt.toml:30:10
   |
29 | record = "SOA"
   |          ----- asks for this
30 | expect = "10.0.0.7"
   |          ^^^^^^^^^^ an IPv4 address is in a record of type A
"#,
    );
    check(
        r#"[check.new]
command = "ask -x""#,
        r#"
error: `command` must be a list of words, not a string
  --> shunt.toml:27:11
   |
27 | command = "ask -x"
   |           ^^^^^^^^ expected a list of words
   |
   = help: a list of words, without a shell: ["ask", "-x"]
"#,
    );
    check(
        r#"[check.new]
file = "closed"
present = "off""#,
        r#"
error: `closed` is not an absolute path
  --> shunt.toml:27:8
   |
27 | file = "closed"
   |        ^^^^^^^^ must begin with `/`

error: `present` cannot be `off`
  --> shunt.toml:28:11
   |
28 | present = "off"
   |           ^^^^^ expected one of: down, up
"#,
    );
}

#[test]
fn backends_are_checks_that_ask() {
    check(
        r#"[check.new]
backends = ["web", "bd"]
at-least = 1"#,
        r#"
error: unknown check `bd`
  --> shunt.toml:27:20
   |
27 | backends = ["web", "bd"]
   |                    ^^^^ the checks are: db, new, web
   |
   = help: did you mean `db`?
"#,
    );
    check(
        r#"[check.new]
backends = ["web", "db"]
at-least = 3"#,
        r#"
error: `at-least` is more than there are
  --> shunt.toml:28:12
   |
27 | backends = ["web", "db"]
   |            ------------- only 2 checks
28 | at-least = 3
   |            ^ never up
"#,
    );
    check(
        r#"[check.new]
backends = ["web", "db"]"#,
        r#"
error: [check.new] has no `at-least`
  --> shunt.toml:26:1
   |
26 | [check.new]
   | ^^^^^^^^^^^ `at-least` is missing
   |
   = help: add a line such as `at-least = 2`
"#,
    );
    check(
        r#"[check.new]
backends = []
at-least = 1"#,
        r#"
error: `backends` is empty
  --> shunt.toml:27:12
   |
27 | backends = []
   |            ^^ expected at least one check
"#,
    );
    check(
        r#"[check.new]
backends = ["web", "new"]
at-least = 1"#,
        r#"
error: a check counts itself
  --> shunt.toml:27:20
   |
27 | backends = ["web", "new"]
   |                    ^^^^^ would wait for itself
"#,
    );
    check(
        r#"[check.new]
backends = ["web", "web"]
at-least = 1"#,
        r#"
error: `backends` names the same twice
  --> shunt.toml:27:20
   |
27 | backends = ["web", "web"]
   |             -----  ^^^^^ again here
   |             |
   |             first here
"#,
    );
    check(
        r#"[check.new]
backends = ["web", "db"]
at-least = 1
[check.more]
backends = ["new", "db"]
at-least = 1"#,
        r#"
error: backends of backends: `new` counts others itself
  --> shunt.toml:30:13
   |
30 | backends = ["new", "db"]
   |             ^^^^^ expected a check that asks
   |
   = help: name its backends here
"#,
    );
    check(
        r#"[check.new]
backends = ["web", "db"]
at-least = 1
interval = "1s""#,
        r#"
error: `interval` beside `backends`
  --> shunt.toml:29:12
   |
27 | backends = ["web", "db"]
   |            ------------- what is asked
28 | at-least = 1
29 | interval = "1s"
   |            ^^^^ has no effect: it is for tcp, http, grpc, icmp, dns, command, file
"#,
    );
}
