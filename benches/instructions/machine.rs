//! What figures depend on besides the code: compiler, instruction set, valgrind.

use std::process::Command;

/// One line that names them all, or why nothing can be counted here.
pub(super) fn describe() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let rustc = version(Command::new(rustc).arg("--version"))?;
    let valgrind = version(Command::new("valgrind").arg("--version"))?;
    Ok(format!("{rustc}, {} {}, {valgrind}", std::env::consts::ARCH, vectors()))
}

fn version(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The widest vectors that valgrind lets a program see, which it does where the machine has them.
#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx2") { "avx2" } else { "sse" }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    "as built"
}
