//! What a warm Python is made of: told by the host, carried to the process that cages are cloned from.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use meliora_evolve::SandboxError;

/// A Python whose commands need no interpreter of their own: they go on in a copy of one that has started before.
///
/// It applies to commands `[program, flags…, /path/of/a/script, …]` in cages whose environment is `env`; all others are
/// executed as ever. Nothing in here is secret: it lies in the memory of every command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WarmPython {
    /// Absolute path of the program, free of links.
    pub program: PathBuf,
    /// Its `libpython`, a shared library. `None` where it has none.
    pub library: Option<PathBuf>,
    /// `sys.version` in one line; a library that says otherwise is not used.
    pub version: String,
    /// The flags between program and script: of `-s`, `-S`, `-B`, `-P`.
    pub flags: Vec<String>,
    /// The environment of its commands.
    pub env: Vec<(String, String)>,
    /// Modules of the standard library to import once, as far as this Python has them.
    pub modules: Vec<String>,
    /// Modules that must be there, to import once; libraries that they bring use one thread.
    pub required: Vec<String>,
    /// Folders of installed modules in which these are looked for, beside the standard library.
    pub search: Vec<PathBuf>,
    /// Scripts to compile once: path in the cage, text.
    pub scripts: Vec<(String, String)>,
}

impl WarmPython {
    /// Whether an error of [`crate::Namespaces::warm`] is that a module which this asks for cannot be had: the matter of
    /// whoever asked for it, not of the machine.
    pub fn lacks(&self, error: &SandboxError) -> bool {
        self.required.iter().any(|name| error.what == module_words(name))
    }

    /// As bytes: the lengths of its lists, then every text behind its length.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let library = self.library.as_ref().map_or(&b""[..], |path| path.as_os_str().as_bytes());
        let mut bytes = Vec::new();
        let search: Vec<&[u8]> = self.search.iter().map(|path| path.as_os_str().as_bytes()).collect();
        let texts = [&self.flags, &self.modules, &self.required];
        for list in [texts[0].len(), self.env.len(), texts[1].len(), texts[2].len(), search.len(), self.scripts.len()] {
            bytes.extend((list as u64).to_ne_bytes());
        }
        let pairs = |pairs: &[(String, String)]| -> Vec<u8> {
            pairs.iter().flat_map(|(a, b)| [a, b]).flat_map(|text| behind_length(text.as_bytes())).collect()
        };
        bytes.extend(behind_length(self.program.as_os_str().as_bytes()));
        bytes.extend(behind_length(library));
        bytes.extend(behind_length(self.version.as_bytes()));
        bytes.extend(self.flags.iter().flat_map(|text| behind_length(text.as_bytes())));
        bytes.extend(pairs(&self.env));
        bytes.extend(self.modules.iter().chain(&self.required).flat_map(|text| behind_length(text.as_bytes())));
        bytes.extend(search.iter().flat_map(|path| behind_length(path)));
        bytes.extend(pairs(&self.scripts));
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut number = || {
            let (first, rest) = bytes.split_first_chunk::<8>()?;
            bytes = rest;
            Some(u64::from_ne_bytes(*first) as usize)
        };
        let [flags, env, modules, required, search, scripts] =
            [number()?, number()?, number()?, number()?, number()?, number()?];
        let mut bytes = || {
            let (length, rest) = bytes.split_first_chunk::<8>()?;
            let (text, rest) = rest.split_at_checked(u64::from_ne_bytes(*length) as usize)?;
            bytes = rest;
            Some(text.to_vec())
        };
        let program = PathBuf::from(OsString::from_vec(bytes()?));
        let library = PathBuf::from(OsString::from_vec(bytes()?));
        let mut text = || String::from_utf8(bytes()?).ok();
        Some(WarmPython {
            program,
            library: (!library.as_os_str().is_empty()).then_some(library),
            version: text()?,
            flags: (0..flags).map(|_| text()).collect::<Option<_>>()?,
            env: (0..env).map(|_| Some((text()?, text()?))).collect::<Option<_>>()?,
            modules: (0..modules).map(|_| text()).collect::<Option<_>>()?,
            required: (0..required).map(|_| text()).collect::<Option<_>>()?,
            search: (0..search).map(|_| Some(PathBuf::from(text()?))).collect::<Option<_>>()?,
            scripts: (0..scripts).map(|_| Some((text()?, text()?))).collect::<Option<_>>()?,
        })
    }
}

/// How an error names a module that cannot be had.
pub(crate) fn module_words(name: &str) -> String {
    format!("the module '{name}', which is to be warm")
}

fn behind_length(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_ne_bytes()[..], text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_python_survives_the_way() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let warm = WarmPython {
            program: "/p".into(),
            library: Some("/l".into()),
            version: "3.11".into(),
            flags: vec!["-s".into()],
            env: vec![pair("A", "b=c"), pair("D", "")],
            modules: vec!["json".into(), "re".into()],
            required: vec!["numpy".into()],
            search: vec!["/s".into(), "/t".into()],
            scripts: vec![pair("/work/x.py", "print(1)\n")],
        };
        let bytes = warm.encode();
        assert_eq!(WarmPython::decode(&bytes), Some(warm.clone()));
        assert_eq!(WarmPython::decode(&bytes[..bytes.len() - 1]), None);
        let cold = WarmPython { library: None, ..warm };
        assert_eq!(WarmPython::decode(&cold.encode()), Some(cold));
    }
}
