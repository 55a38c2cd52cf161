//! The instructions that change an image's configuration only.

use super::{Shop, Stage};
use crate::{
    dockerfile::{
        Command, Instruction,
        error::{SyntaxError, shown},
    },
    error::Why,
    platform,
};
use serde_json::json;

/// Ports of one `EXPOSE` range.
const PORTS: u32 = 65_536;
/// Names of signals, without `SIG` (signal(7)); real-time ones are told by their prefix.
const SIGNALS: [&str; 34] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "POLL", "PWR", "SYS",
];

impl Stage {
    /// Changes the configuration.
    pub(super) fn settings(&mut self, shop: &Shop, instruction: &Instruction) -> Result<(), Why> {
        match instruction {
            Instruction::Env(pairs) => {
                // All values see the environment as it was before the instruction.
                for (name, value) in self.pairs(shop, pairs)? {
                    self.config.set_env(&name, &value);
                }
            }
            Instruction::Label(pairs) => {
                for (name, value) in self.pairs(shop, pairs)? {
                    self.config.label(&name, &value);
                }
            }
            Instruction::Arg(list) => {
                for (name, default) in list {
                    self.argument(shop, name, default.as_deref())?;
                }
            }
            Instruction::User(user) => {
                let user = filled("USER", "a user: the variable is empty", self.expand(shop, user)?)?;
                self.config.set("User", user.into());
            }
            Instruction::Expose(ports) => {
                for words in ports {
                    let words = self.expand(shop, words)?;
                    for key in words.split_whitespace().map(port_keys) {
                        key?.iter().for_each(|key| self.config.add_key("ExposedPorts", key));
                    }
                }
            }
            Instruction::Volume(folders) => {
                for folder in folders {
                    let folder = filled("VOLUME", "a folder: the variable is empty", self.expand(shop, folder)?)?;
                    self.config.add_key("Volumes", &folder);
                }
            }
            Instruction::Entrypoint(command) => {
                self.config.set("Entrypoint", self.command(command));
                // The base's command was for the base's entry point.
                if !self.own_cmd {
                    self.config.unset("Cmd");
                }
            }
            Instruction::Cmd(command) => {
                self.config.set("Cmd", self.command(command));
                self.own_cmd = true;
            }
            Instruction::Shell(shell) => self.config.set("Shell", json!(shell)),
            Instruction::StopSignal(signal) => {
                let signal = self.expand(shop, signal)?;
                if !is_signal(&signal) {
                    return Err(value("STOPSIGNAL", "not a signal's name or number", &signal));
                }
                self.config.set("StopSignal", signal.into());
            }
            Instruction::Maintainer(author) => {
                let author = self.expand(shop, author)?;
                self.config.set_author(&author);
            }
            Instruction::Later { name, why } => return Err(SyntaxError::NotYet { what: name, why }.into()),
            Instruction::From { .. } | Instruction::Copy(_) | Instruction::Workdir(_) => {
                return Err(SyntaxError::BeforeFrom(instruction.name()).into());
            }
        }
        Ok(())
    }

    fn pairs(&self, shop: &Shop, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, Why> {
        pairs.iter().map(|(name, value)| Ok((self.expand(shop, name)?, self.expand(shop, value)?))).collect()
    }

    /// The client's value, else the default, else what stands before the first `FROM`, else what builders set themselves.
    fn argument(&mut self, shop: &Shop, name: &str, default: Option<&str>) -> Result<(), Why> {
        let default = default.map(|d| self.expand(shop, d)).transpose()?;
        let given = shop.args.get(name).cloned().or(default);
        let value = given.or_else(|| shop.plan.globals.get(name).cloned()).or_else(|| platform::variable(name));
        self.args.extend(value.map(|value| (name.to_owned(), value)));
        Ok(())
    }

    fn command(&self, command: &Command) -> serde_json::Value {
        match command {
            Command::Exec(list) => json!(list),
            Command::Shell(text) => {
                let mut list = self.config.shell();
                list.push(text.clone());
                json!(list)
            }
        }
    }
}

fn filled(instruction: &'static str, what: &'static str, text: String) -> Result<String, Why> {
    if text.is_empty() { Err(SyntaxError::Missing { instruction, what }.into()) } else { Ok(text) }
}

fn value(instruction: &'static str, why: &'static str, value: &str) -> Why {
    SyntaxError::Value { instruction, why, value: shown(value) }.into()
}

fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = name.strip_prefix("RTMIN").or_else(|| name.strip_prefix("RTMAX")).is_some_and(|offset| {
        offset.is_empty() || offset.strip_prefix(['+', '-']).is_some_and(|n| n.parse::<u8>().is_ok())
    });
    real_time || SIGNALS.contains(&name)
}

/// `80`, `80/udp`, `8000-8010/tcp` as an image has them: one key a port.
fn port_keys(word: &str) -> Result<Vec<String>, Why> {
    let wrong = |why| value("EXPOSE", why, word);
    let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong("the protocol is not tcp, udp or sctp"));
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| (1..PORTS).contains(n));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => {
            Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
        }
        _ => Err(wrong("not a port or a range of ports; ports are published when a container is created")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_one_a_key() {
        assert_eq!(port_keys("80").unwrap(), ["80/tcp"]);
        assert_eq!(port_keys("53/UDP").unwrap(), ["53/udp"]);
        assert_eq!(port_keys("1-3").unwrap(), ["1/tcp", "2/tcp", "3/tcp"]);
        for bad in ["0", "65536", "3-1", "x", "80/http", "80:80", "-", ""] {
            assert!(port_keys(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signals_are_names_or_numbers() {
        for (text, fine) in [
            ("SIGTERM", true),
            ("term", true),
            ("9", true),
            ("SIGRTMIN+3", true),
            ("0", false),
            ("65", false),
            ("x", false),
        ] {
            assert_eq!(is_signal(text), fine, "{text}");
        }
    }
}
