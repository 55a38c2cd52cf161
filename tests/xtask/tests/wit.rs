//! The contract reads by itself: every package, interface, world, type, member, function and case in `wit/` has prose.

use std::path::Path;
use wit_parser::{Docs, Function, Resolve, TypeDefKind};

const PACKAGES: [&str; 6] = ["types", "host", "storage", "network", "registry-auth", "lifecycle"];

fn contract() -> Resolve {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    for package in PACKAGES {
        resolve.push_dir(root.join(package)).unwrap_or_else(|e| panic!("wit/{package}: {e:#}"));
    }
    resolve
}

#[derive(Default)]
struct Silent(Vec<String>, usize);

impl Silent {
    fn look(&mut self, what: String, docs: &Docs) {
        self.1 += 1;
        if docs.contents.as_deref().is_none_or(|text| text.trim().len() < 10) {
            self.0.push(what);
        }
    }

    fn function(&mut self, interface: &str, function: &Function) {
        self.look(format!("{interface}: {}", function.name), &function.docs);
    }
}

#[test]
fn everything_in_the_contract_has_prose() {
    let resolve = contract();
    let mut silent = Silent::default();
    for (_, package) in &resolve.packages {
        silent.look(package.name.to_string(), &package.docs);
    }
    for (id, interface) in &resolve.interfaces {
        let name = resolve.id_of(id).unwrap_or_default();
        silent.look(name.clone(), &interface.docs);
        for function in interface.functions.values() {
            silent.function(&name, function);
        }
    }
    for (_, world) in &resolve.worlds {
        silent.look(format!("world {}", world.name), &world.docs);
    }
    for (_, ty) in &resolve.types {
        let Some(name) = &ty.name else { continue };
        if let TypeDefKind::Type(wit_parser::Type::Id(_)) = ty.kind {
            continue; // a `use`
        }
        silent.look(format!("type {name}"), &ty.docs);
        match &ty.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().for_each(|f| silent.look(format!("{name}.{}", f.name), &f.docs));
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().for_each(|c| silent.look(format!("{name}.{}", c.name), &c.docs));
            }
            TypeDefKind::Enum(words) => {
                words.cases.iter().for_each(|c| silent.look(format!("{name}.{}", c.name), &c.docs));
            }
            _ => {}
        }
    }
    assert!(silent.1 > 150, "only {} items were looked at", silent.1);
    assert!(silent.0.is_empty(), "without prose: {:#?}", silent.0);
}

#[test]
fn every_package_is_of_this_version() {
    for (_, package) in &contract().packages {
        assert_eq!(package.name.namespace, "davit");
        assert_eq!(package.name.version.as_ref().map(ToString::to_string).as_deref(), Some("0.1.0"));
    }
}
