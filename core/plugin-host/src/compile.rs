//! From a component's bytes to its compiled form. Compilers have bugs and a component is input: where a program to compile
//! is given, compiling happens there, in a child with a time limit that gives up its rights; else in this process. Where
//! forms are kept is [`crate::forms`].

use crate::{component, engine};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime::Engine;

/// A component that carries an interpreter takes half a minute of one core, more on a machine that has other things to do.
const DEADLINE: Duration = Duration::from_secs(300);

/// A program that calls [`compile_stdin`] when it is started with these arguments.
#[derive(Clone, Debug)]
pub struct CompilerProgram {
    /// The program, usually `/proc/self/exe`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Compiles with a program, or in this process. The error is a text about the component.
pub(crate) async fn compile(
    compiler: Option<&CompilerProgram>,
    engine: &Engine,
    wasm: &[u8],
) -> Result<Vec<u8>, String> {
    if let Some(program) = compiler {
        return compile_in_child(program, wasm).await;
    }
    let (engine, wasm) = (engine.clone(), wasm.to_vec());
    let work = tokio::task::spawn_blocking(move || engine.precompile_component(&wasm));
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(Ok(compiled)) => compiled.map_err(|e| format!("it does not compile: {e:#}")),
        Ok(Err(_)) => Err("compiling it failed within the compiler".to_owned()),
        Err(_) => Err(format!("compiling it took more than {} s", DEADLINE.as_secs())),
    }
}

/// Compiles in a child: the component goes to its standard input, the compiled form comes from its standard output.
/// It confines itself (`crate::apart`), and is ended after five minutes.
///
/// # Errors
/// A text about the component, or about the child.
pub async fn compile_in_child(compiler: &CompilerProgram, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = tokio::process::Command::new(&compiler.program);
    command.args(&compiler.arguments).env_clear().current_dir("/").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = compiler.program.display();
    let mut child = command.spawn().map_err(|e| format!("the compiler {program} cannot be started: {e}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A child that ends early says why on its standard error.
                let _early = stdin.write_all(wasm).await;
            }
        };
        let read = async {
            let mut compiled = Vec::new();
            if let Some(mut stdout) = stdout {
                stdout.read_to_end(&mut compiled).await?;
            }
            Ok::<_, io::Error>(compiled)
        };
        let said = async {
            let mut text = Vec::new();
            if let Some(stderr) = stderr {
                stderr.take(4096).read_to_end(&mut text).await?;
            }
            Ok::<_, io::Error>(text)
        };
        let ((), compiled, said) = tokio::join!(feed, read, said);
        let status = child.wait().await?;
        Ok::<_, io::Error>((status, compiled?, said?))
    };
    match tokio::time::timeout(DEADLINE, talk).await {
        Ok(Ok((status, compiled, _))) if status.success() => Ok(compiled),
        Ok(Ok((status, _, said))) => {
            Err(format!("it does not compile: {} ({status})", String::from_utf8_lossy(&said).trim()))
        }
        Ok(Err(e)) => Err(format!("the compiler {program} cannot be talked to: {e}")),
        Err(_) => Err(format!("compiling it took more than {} s", DEADLINE.as_secs())),
    }
}

/// The child's part of [`compile_in_child`]: call this where the program was started to compile, and end afterwards.
///
/// # Errors
/// A text for standard error.
pub fn compile_stdin() -> Result<(), String> {
    let mut wasm = Vec::new();
    io::stdin().take(component::LARGEST).read_to_end(&mut wasm).map_err(|e| format!("reading the component: {e}"))?;
    let engine = engine::engine().map_err(|e| format!("setting up the compiler: {e:#}"))?;
    let compiled = engine.precompile_component(&wasm).map_err(|e| format!("{e:#}"))?;
    io::stdout().write_all(&compiled).map_err(|e| format!("writing the compiled form: {e}"))
}
