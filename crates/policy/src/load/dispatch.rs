//! Calls of builtins that the register machine's compiler does not know, put as calls of one that it does.
//!
//! `io.jwt.decode(t)` becomes `sprintf("<key>17", [t])`, and our `sprintf` calls builtin 17. The key is random and made in this
//! process, so that no policy and no request can write such a call.

use regorus::unstable::{Expr, ExprRef, Module, Ref};

use crate::analysis::root_names;
use crate::builtins::dispatched;
use crate::load::edit::{self, Edit};
use crate::load::{NewTexts, visit};

/// The texts of the modules that change.
pub(crate) fn rewrite(modules: &[Ref<Module>]) -> NewTexts {
    let mut texts = NewTexts::new();
    for (place, module) in modules.iter().enumerate() {
        let source = &module.package.span.source;
        // `io` may be a rule or an import here: then its calls are no builtins.
        let names = root_names(module, modules);
        if names.contains("sprintf") {
            continue;
        }
        let mut edits = Vec::new();
        visit::expressions(module, &mut |expr, _| {
            edits.extend(call(expr, source.contents(), &names).into_iter().flatten());
            true
        });
        if let Some(text) = edit::apply(source.contents(), edits) {
            texts.insert(place, text);
        }
    }
    texts
}

/// What changes at the start and at the end of a call.
fn call(expr: &ExprRef, text: &str, names: &std::collections::HashSet<String>) -> Option<[Edit; 2]> {
    let Expr::Call { span, fcn, params, .. } = expr.as_ref() else { return None };
    let name = fcn.span().text();
    if names.contains(name.split('.').next().unwrap_or(name)) {
        return None;
    }
    let format = dispatched(name, params.len())?;
    let (from, to) = (span.start as usize, span.end as usize);
    let after_name = from + name.len();
    let open = text.get(from..to)?.strip_prefix(name)?.find('(').map(|at| after_name + at)?;
    let between_is_space = text.get(after_name..open)?.trim().is_empty();
    let closes = text.get(to - 1..to)? == ")";
    (between_is_space && closes).then(|| {
        let start = Edit { from, to: open + 1, with: format!("sprintf({format:?}, [") };
        [start, Edit { from: to - 1, to, with: "])".to_owned() }]
    })
}
