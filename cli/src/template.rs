//! `--format`: Go templates, with the functions that Docker adds to Go's own.

use crate::error::{Error, Result};
use gotmpl::{MissingKey, Template as Go, TemplateError, Value as Go_, to_value};
use serde_json::Value;

/// A parsed template.
pub(crate) struct Template {
    text: String,
}

impl Template {
    /// Reads a template for the rows of a list.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // `.Label "x"` is a method in Docker; here it is a function over the row.
        let text = text.replace(".Label \"", "label . \"").replace("\\t", "\t").replace("\\n", "\n");
        let template = Self { text };
        template.go()?;
        Ok(template)
    }

    /// Reads a template for an object (`inspect`, `version`, `info`): Docker's status is another where it cannot be read.
    pub(crate) fn of_object(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|e| Error::Template(e.to_string()))
    }

    fn go(&self) -> Result<Go> {
        // A name that is not there is an error, as with Docker.
        let template = Go::new("format").missing_key(MissingKey::Error);
        functions(template).parse(&self.text).map_err(|e| refuse(&e))
    }

    /// The text for `data`.
    pub(crate) fn render(&self, data: &Value) -> Result<String> {
        let data = to_value(data).map_err(|e| refuse(&e))?;
        self.go()?.execute_to_string(&data).map_err(|e| refuse(&e))
    }
}

fn refuse(error: &TemplateError) -> Error {
    Error::usage(format!("invalid --format: {error}"))
}

fn functions(template: Go) -> Go {
    template
        .func("json", |args| {
            Ok(string(serde_json::to_string(&plain(args.first().unwrap_or(&Go_::Nil))).unwrap_or_default()))
        })
        .func("upper", |args| Ok(string(text(args, 0).to_uppercase())))
        .func("lower", |args| Ok(string(text(args, 0).to_lowercase())))
        .func("title", |args| Ok(string(title(&text(args, 0)))))
        .func("join", |args| Ok(string(join(args))))
        .func("split", |args| Ok(split(args)))
        .func("truncate", |args| Ok(string(text(args, 0).chars().take(count(args, 1)).collect())))
        .func("pad", |args| {
            let (before, after) = (" ".repeat(count(args, 1)), " ".repeat(count(args, 2)));
            let inner = text(args, 0);
            Ok(string(if inner.is_empty() { inner } else { format!("{before}{inner}{after}") }))
        })
        .func("label", |args| {
            let labels = args.first().and_then(|row| row.field("LabelsMap"));
            let found = labels.and_then(|l| l.field(&text(args, 1))).and_then(|v| v.as_str().map(str::to_owned));
            Ok(string(found.unwrap_or_default()))
        })
}

fn string(text: String) -> Go_ {
    Go_::String(text.into())
}

fn text(args: &[Go_], at: usize) -> String {
    match args.get(at) {
        Some(Go_::String(s)) => s.to_string(),
        Some(Go_::Nil) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn count(args: &[Go_], at: usize) -> usize {
    // Wider than any terminal is a mistake, not a wish.
    args.get(at).and_then(Go_::as_int).and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(4096)
}

fn title(text: &str) -> String {
    let mut begins = true;
    text.chars()
        .flat_map(|c| {
            let shown: Vec<char> = if begins { c.to_uppercase().collect() } else { vec![c] };
            begins = !c.is_alphanumeric();
            shown
        })
        .collect()
}

fn join(args: &[Go_]) -> String {
    match args.first() {
        Some(Go_::List(items)) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(&text(args, 1)),
        _ => text(args, 0),
    }
}

fn split(args: &[Go_]) -> Go_ {
    let (whole, by) = (text(args, 0), text(args, 1));
    Go_::List(whole.split(by.as_str()).map(|part| string(part.to_owned())).collect())
}

/// A template's value as JSON again.
fn plain(value: &Go_) -> Value {
    match value {
        Go_::Bool(b) => Value::from(*b),
        Go_::Int(n) => Value::from(*n),
        Go_::Uint(n) => Value::from(*n),
        Go_::Float(n) => Value::from(*n),
        Go_::String(s) => Value::from(s.as_ref()),
        Go_::List(items) => items.iter().map(plain).collect(),
        Go_::Map(map) => Value::Object(map.iter().map(|(k, v)| (k.to_string(), plain(v))).collect()),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn show(text: &str) -> String {
        let data = json!({
            "Names": "web", "State": {"Status": "running", "Pid": 7}, "Ports": ["80/tcp", "443/tcp"],
            "LabelsMap": {"a.b": "c"}, "Config": {"Labels": {"x": "y"}}, "Gone": null,
        });
        Template::parse(text).unwrap().render(&data).unwrap()
    }

    #[test]
    fn what_people_write_for_docker_works() {
        for (template, expected) in [
            ("{{.Names}}", "web"),
            ("{{.State.Status}} {{.State.Pid}}", "running 7"),
            ("{{json .State}}", r#"{"Pid":7,"Status":"running"}"#),
            ("{{range .Ports}}{{.}};{{end}}", "80/tcp;443/tcp;"),
            ("{{range $i, $p := .Ports}}{{$i}}={{$p}} {{end}}", "0=80/tcp 1=443/tcp "),
            ("{{len .Ports}}", "2"),
            ("{{index .Config.Labels \"x\"}}", "y"),
            ("{{.Label \"a.b\"}}", "c"),
            ("{{if eq .State.Status \"running\"}}up{{else}}down{{end}}", "up"),
            ("{{upper .Names}} {{title .Names}}", "WEB Web"),
            ("{{join .Ports \",\"}}", "80/tcp,443/tcp"),
            ("{{.Names}}\\t{{.Names}}", "web\tweb"),
            ("{{json .Gone}}", "null"),
            ("{{with .State}}{{.Pid}}{{end}}", "7"),
            ("{{println .Names}}", "web\n"),
        ] {
            assert_eq!(show(template), expected, "{template}");
        }
    }

    #[test]
    fn a_template_that_does_not_parse_is_refused_before_anything_is_asked() {
        for text in ["{{", "{{.x"] {
            assert_eq!(Template::parse(text).err().unwrap().code(), 1, "{text}");
            assert_eq!(Template::of_object(text).err().unwrap().code(), 64, "{text}");
        }
    }

    #[test]
    fn a_function_that_is_not_there_is_an_error() {
        assert!(Template::parse("{{nosuch .}}").and_then(|t| t.render(&json!({}))).is_err());
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error() {
        for text in ["{{.Nope}}", "{{.Nope.Deeper}}", "{{with .There}}{{.Nope}}{{end}}"] {
            let data = json!({"There": {"x": 1}});
            assert_eq!(Template::parse(text).unwrap().render(&data).unwrap_err().code(), 1, "{text}");
        }
    }
}
