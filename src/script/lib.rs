//! Script predicates in Rhai: sandboxed, free of side effects, and bounded.
//!
//! A script sees its arguments and nothing else: no files, no clock, no sleeping, no modules. Each call is stopped after
//! [`MAX_OPERATIONS`] operations or [`MAX_TIME`], whichever comes first; its condition is then unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, Scope};

use compile::{ScriptComponent, ScriptError, ScriptValue, Scripts};
use diag::{Code, Diagnostic, Place, SourceId, Sources, Span, text};

/// A predicate that needs more is an endless loop: the longest legitimate one, over an hour of samples, takes a few thousand.
pub const MAX_OPERATIONS: u64 = 200_000;
/// A second limit, for slow operations.
pub const MAX_TIME: Duration = Duration::from_millis(200);
/// A function that hit a limit this often is not called again for the same bundle: a loop that is endless for one component is
/// endless for all.
const MAX_STOPS: u32 = 3;
/// No script text or list grows beyond this many bytes or elements.
const MAX_SIZE: usize = 1_000_000;

/// The compiled functions of all script files.
pub struct RhaiScripts {
    engine: Engine,
    functions: BTreeMap<String, usize>,
    bodies: BTreeMap<String, Arc<AST>>,
    /// The first failure of each function, and how often its limit has stopped it.
    failures: Mutex<BTreeMap<String, (ScriptError, u32)>>,
}

impl std::fmt::Debug for RhaiScripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RhaiScripts").field("functions", &self.functions).finish_non_exhaustive()
    }
}

impl Default for RhaiScripts {
    fn default() -> Self {
        Self { engine: sandbox(), functions: BTreeMap::new(), bodies: BTreeMap::new(), failures: Mutex::default() }
    }
}

fn sandbox() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_call_levels(32);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_string_size(MAX_SIZE);
    engine.set_max_array_size(MAX_SIZE);
    engine.set_max_map_size(MAX_SIZE);
    engine.set_max_modules(0);
    engine.disable_symbol("eval");
    // The operation limit does not stop a sleeping script, and a clock would make results differ from run to run.
    engine.register_fn("sleep", |_: i64| -> Result<(), Box<EvalAltResult>> { Err("`sleep` is not available".into()) });
    engine.register_fn("sleep", |_: f64| -> Result<(), Box<EvalAltResult>> { Err("`sleep` is not available".into()) });
    engine.register_fn("timestamp", || -> Result<Dynamic, Box<EvalAltResult>> { Err("`timestamp` is not available".into()) });
    engine.on_print(|_| {});
    engine.on_debug(|_, _, _| {});
    engine
}

impl RhaiScripts {
    /// The same functions without recorded failures: for another bundle.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { engine: sandbox(), functions: self.functions.clone(), bodies: self.bodies.clone(), failures: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (ScriptError, u32)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compiles all script files. A broken file is reported and left out; a function declared twice keeps the first.
    pub fn compile(sources: &Sources, files: &[SourceId]) -> (Self, Vec<Diagnostic>) {
        let mut scripts = Self::default();
        let mut diagnostics = Vec::new();
        for &file in files {
            match scripts.engine.compile(sources.text(file)) {
                Ok(ast) => scripts.add(sources, file, ast, &mut diagnostics),
                Err(error) => {
                    let place = place_of(sources, file, error.position());
                    diagnostics.push(
                        Diagnostic::error(Code::SCRIPT_SYNTAX, place, text!("cannot compile this script: {}", error.err_type()))
                            .label("here"),
                    );
                }
            }
        }
        (scripts, diagnostics)
    }

    fn add(&mut self, sources: &Sources, file: SourceId, ast: AST, diagnostics: &mut Vec<Diagnostic>) {
        let ast = Arc::new(ast);
        let declared: Vec<(String, usize)> = ast.iter_functions().map(|f| (f.name.to_owned(), f.params.len())).collect();
        for (name, arity) in declared {
            if self.functions.contains_key(&name) {
                let at = sources.text(file).find(&format!("fn {name}(")).unwrap_or(0);
                let place = Place::new(file, Span::new(at, at + name.len() + 3));
                diagnostics.push(
                    Diagnostic::error(Code::SCRIPT_SYNTAX, place, text!("script function `{}` is declared twice", name))
                        .label("second declaration, ignored")
                        .help("rename one of them"),
                );
                continue;
            }
            self.functions.insert(name.clone(), arity);
            self.bodies.insert(name, Arc::clone(&ast));
        }
    }
}

fn place_of(sources: &Sources, file: SourceId, position: rhai::Position) -> Place {
    let offset = sources.offset(file, position.line().unwrap_or(1), position.position().unwrap_or(1));
    Place::new(file, Span::new(offset, offset + 1))
}

impl Scripts for RhaiScripts {
    fn failures(&self) -> Vec<String> {
        self.lock().iter().map(|(function, (error, _))| format!("script `{function}`: {error}")).collect()
    }

    fn functions(&self) -> &BTreeMap<String, usize> {
        &self.functions
    }

    fn call(&self, function: &str, arguments: Vec<ScriptValue>) -> Result<ScriptValue, ScriptError> {
        let Some(ast) = self.bodies.get(function) else { return Err(ScriptError::Failed("there is no function of this name".to_owned())) };
        if let Some((error, stopped)) = self.lock().get(function)
            && *stopped >= MAX_STOPS
        {
            return Err(error.clone());
        }
        let mut engine = sandbox();
        let deadline = Instant::now() + MAX_TIME;
        engine.on_progress(move |_| if Instant::now() > deadline { Some(Dynamic::UNIT) } else { None });
        let arguments: Vec<Dynamic> = arguments.into_iter().map(dynamic).collect();
        let options = rhai::CallFnOptions::new().eval_ast(false);
        let answer = engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), ast, function, arguments);
        let answer = answer.map_err(|error| failure(&error)).and_then(|value| answered(&value));
        if let Err(error) = &answer {
            let mut failures = self.lock();
            let entry = failures.entry(function.to_owned()).or_insert_with(|| (error.clone(), 0));
            entry.1 += u32::from(matches!(error, ScriptError::Limit(_)));
        }
        answer
    }
}

fn failure(error: &EvalAltResult) -> ScriptError {
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => ScriptError::Limit(format!("{MAX_OPERATIONS} operations")),
        EvalAltResult::ErrorTerminated(..) => ScriptError::Limit(format!("{} ms", MAX_TIME.as_millis())),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => failure(inner),
        other => ScriptError::Failed(other.to_string()),
    }
}

#[allow(clippy::cast_precision_loss, reason = "scores are far below 2^53")]
fn answered(value: &Dynamic) -> Result<ScriptValue, ScriptError> {
    if let Ok(value) = value.as_bool() {
        return Ok(ScriptValue::Bool(value));
    }
    if let Ok(value) = value.as_int() {
        return Ok(ScriptValue::Number(value as f64));
    }
    if let Ok(value) = value.as_float() {
        return if value.is_finite() {
            Ok(ScriptValue::Number(value))
        } else {
            Err(ScriptError::Failed(format!("returned {value}, expected a finite number")))
        };
    }
    if value.is_string() {
        return Ok(ScriptValue::Text(value.to_string()));
    }
    Err(ScriptError::Failed(format!("returned {}, expected a number, text, or true/false", value.type_name())))
}

fn dynamic(value: ScriptValue) -> Dynamic {
    match value {
        ScriptValue::Number(number) => Dynamic::from_float(number),
        ScriptValue::Text(text) => text.into(),
        ScriptValue::Bool(value) => value.into(),
        ScriptValue::Component(component) => component_map(*component).into(),
    }
}

/// `#{id, type, name, attributes: #{…}, metrics: #{cpu_usage: [[seconds, value], …]}}`.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of this era are below 2^53")]
fn component_map(component: ScriptComponent) -> Map {
    let mut map = Map::new();
    map.insert("id".into(), component.id.into());
    map.insert("type".into(), component.kind.into());
    map.insert("name".into(), component.name.into());
    let attributes: Map = component.attributes.into_iter().map(|(name, value)| (name.into(), dynamic(value))).collect();
    map.insert("attributes".into(), attributes.into());
    let metrics: Map = component
        .metrics
        .into_iter()
        .map(|(name, samples)| {
            let samples: rhai::Array = samples
                .into_iter()
                .map(|(time, value)| Dynamic::from_array(vec![Dynamic::from_float(time.0 as f64 / 1000.0), Dynamic::from_float(value)]))
                .collect();
            (name.into(), Dynamic::from_array(samples))
        })
        .collect();
    map.insert("metrics".into(), metrics.into());
    map
}

#[cfg(test)]
mod tests {
    use super::{RhaiScripts, Scripts};
    use diag::Sources;

    fn check(body: &str, expected: &str) {
        let mut sources = Sources::default();
        let file = sources.add("a.rhai", format!("fn f() {{ {body} }}"));
        let (scripts, diagnostics) = RhaiScripts::compile(&sources, &[file]);
        let found = match diagnostics.first() {
            Some(diagnostic) => diagnostic.message.to_string(),
            None => scripts.call("f", Vec::new()).map_or_else(|e| e.to_string(), |v| format!("{v:?}")),
        };
        assert!(found.starts_with(expected), "{body}\n  found    {found}\n  expected {expected}");
    }

    #[test]
    fn answers_or_is_stopped() {
        check("1 + 1", "Number(2.0)");
        check("0.5 > 0.2", "Bool(true)");
        check("loop {}", "stopped after 200000 operations");
        check("sleep(10)", "Runtime error: `sleep` is not available");
        check("timestamp()", "Runtime error: `timestamp` is not available");
        check("let a = []; loop { a.push(a) }", "");
        check("fn(", "cannot compile this script");
        check("[1]", "returned array");
        check("0.0 / 0.0", "returned NaN");
    }
}
