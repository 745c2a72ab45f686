//! References such as `data.users[input.name].roles`, taken apart.

use regorus::unstable::{Expr, ExprRef, Import, Module};

/// A reference: its beginning up to the first part that is only known at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The name it starts with.
    pub(crate) root: String,
    /// Names after the root that are written out.
    pub(crate) path: Vec<String>,
    /// True when something follows that is only known at run time.
    pub(crate) dynamic: bool,
}

/// Takes a reference apart. `None` when `expr` is not rooted at a name. Index expressions go to `indices`, and a
/// root that is no name (a call, a literal) as well: they hold references of their own.
pub(crate) fn parse<'e>(expr: &'e ExprRef, indices: &mut Vec<&'e ExprRef>) -> Option<Reference> {
    let mut parts: Vec<Option<String>> = Vec::new();
    let mut at = expr;
    loop {
        match at.as_ref() {
            Expr::Var { span, .. } => {
                parts.reverse();
                let known = parts.iter().take_while(|p| p.is_some()).count();
                let dynamic = known < parts.len();
                let path = parts.into_iter().map_while(|p| p).collect();
                return Some(Reference { root: span.text().to_owned(), path, dynamic });
            }
            Expr::RefDot { refr, field, .. } => {
                parts.push(Some(field.0.text().to_owned()));
                at = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                if let Expr::String { value, .. } | Expr::RawString { value, .. } = index.as_ref() {
                    parts.push(value.as_string().ok().map(|s| s.as_ref().to_owned()));
                } else {
                    indices.push(index);
                    parts.push(None);
                }
                at = refr;
            }
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
            | Expr::Call { .. }
            | Expr::UnaryExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. } => {
                indices.push(at);
                return None;
            }
        }
    }
}

/// What a module calls things.
#[derive(Debug)]
pub(crate) struct Names {
    /// The package, starting with `data`.
    pub(crate) package: Vec<String>,
    imports: Vec<(String, Vec<String>)>,
    rules: std::collections::HashSet<String>,
}

impl Names {
    /// The names of one module; `rules` are the first segments of all rules of its package, in any file.
    pub(crate) fn of(module: &Module, rules: std::collections::HashSet<String>) -> Self {
        Self { package: package_of(module), imports: module.imports.iter().filter_map(import_of).collect(), rules }
    }

    /// The full path that `root` stands for: an import or a rule of the package. `None` for anything else.
    pub(crate) fn expand(&self, root: &str) -> Option<Vec<String>> {
        if let Some((_, path)) = self.imports.iter().find(|(alias, _)| alias == root) {
            return Some(path.clone());
        }
        self.rules.contains(root).then(|| self.package.iter().cloned().chain([root.to_owned()]).collect())
    }

    /// The full path of an import alone.
    pub(crate) fn import(&self, root: &str) -> Option<&[String]> {
        self.imports.iter().find(|(alias, _)| alias == root).map(|(_, path)| path.as_slice())
    }
}

/// The package of a module as a path that starts with `data`.
pub(crate) fn package_of(module: &Module) -> Vec<String> {
    let mut indices = Vec::new();
    let parsed = parse(&module.package.refr, &mut indices);
    std::iter::once("data".to_owned())
        .chain(parsed.into_iter().flat_map(|r| std::iter::once(r.root).chain(r.path)))
        .collect()
}

/// The names that mean rules of the package, in any of `modules`, or imports of `module`.
pub(crate) fn root_names(
    module: &Module,
    modules: &[regorus::unstable::Ref<Module>],
) -> std::collections::HashSet<String> {
    let package = package_of(module);
    let rules = modules.iter().filter(|other| package_of(other) == package).flat_map(|other| &other.policy);
    let rules = rules.filter_map(|rule| parse(super::head_ref(rule), &mut Vec::new())).map(|head| head.root);
    let imports = module.imports.iter().filter_map(import_of).map(|(alias, _)| alias);
    rules.chain(imports).collect()
}

fn import_of(import: &Import) -> Option<(String, Vec<String>)> {
    let mut indices = Vec::new();
    let reference = parse(&import.refr, &mut indices)?;
    // `import rego.v1` and `import future.keywords` name no values.
    if reference.root != "data" && reference.root != "input" {
        return None;
    }
    let path: Vec<String> = std::iter::once(reference.root).chain(reference.path).collect();
    let alias = match &import.r#as {
        Some(span) => span.text().to_owned(),
        None => path.last()?.clone(),
    };
    Some((alias, path))
}
