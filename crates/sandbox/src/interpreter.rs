//! A Python interpreter in the process that cages are cloned from, so that a Python command need not start one.
//!
//! Only the re-executed process of `serve.rs` has one: a fresh image of this program with the declared environment, which
//! has read nothing of the host but Python's own library. The interpreter adds speed and takes no layer away: a command
//! that goes on in it has been through the same checklist as one that is executed.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use crate::frozen::{self, ArenaAllocator, Stretch};
use crate::sys;
use crate::trial;
use crate::warm::WarmPython;

/// Beginnings of variables that Python, the C library or the libraries that it may have loaded read once and early: a
/// command that brings one of its own needs a start of its own.
const READ_EARLY: &[&str] = &[
    "PYTHON",
    "LD_",
    "LC_",
    "LANG",
    "TZ",
    "MALLOC_",
    "GLIBC_",
    "GCONV_",
    "LOCPATH",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "GOTO_",
    "BLIS_",
    "VECLIB_",
    "NUMEXPR_",
    "NPY_",
    "NUMPY_",
];

/// Opaque objects of Python.
type Object = *mut c_void;

/// `Py_file_input` of `compile.h`.
const FILE_INPUT: c_int = 257;
/// Older ones start otherwise.
const OLDEST: (u32, u32) = (3, 8);
/// What Python's own `main` returns when the last flush of standard output fails.
const NO_FLUSH: c_int = 120;

macro_rules! api {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions that are used; all are of the stable ABI or older than 3.8.
        #[allow(non_snake_case, reason = "Python's own names")]
        struct Api {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Api {
            fn load(library: *mut c_void) -> Result<Self, String> {
                Ok(Api {
                    // SAFETY: the symbol is a function of this name in Python's library, whose signature has been the
                    // given one since before 3.8.
                    $($name: unsafe {
                        std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(
                            symbol(library, concat!(stringify!($name), "\0"))?,
                        )
                    },)*
                })
            }
        }
    };
}

api! {
    Py_GetVersion: fn() -> *const c_char;
    Py_SetProgramName: fn(*const libc::wchar_t);
    Py_InitializeEx: fn(c_int);
    Py_FinalizeEx: fn() -> c_int;
    Py_CompileString: fn(*const c_char, *const c_char, c_int) -> Object;
    PyImport_ExecCodeModule: fn(*const c_char, Object) -> Object;
    PyImport_AddModule: fn(*const c_char) -> Object;
    PyModule_GetDict: fn(Object) -> Object;
    PyObject_GetAttrString: fn(Object, *const c_char) -> Object;
    PyObject_CallObject: fn(Object, Object) -> Object;
    PyTuple_New: fn(isize) -> Object;
    PyTuple_SetItem: fn(Object, isize, Object) -> c_int;
    PyUnicode_DecodeFSDefaultAndSize: fn(*const c_char, isize) -> Object;
    PyUnicode_AsUTF8String: fn(Object) -> Object;
    PyBytes_AsString: fn(Object) -> *const c_char;
    PyLong_AsLong: fn(Object) -> libc::c_long;
    PyObject_Malloc: fn(usize) -> *mut c_void;
    PyObject_SetArenaAllocator: fn(*const ArenaAllocator);
    PyErr_ExceptionMatches: fn(Object) -> c_int;
    PyErr_Fetch: fn(*mut Object, *mut Object, *mut Object);
    PyErr_NormalizeException: fn(*mut Object, *mut Object, *mut Object);
    PyErr_Clear: fn();
    PyErr_Print: fn();
    PyEval_EvalCode: fn(Object, Object, Object) -> Object;
    PyOS_BeforeFork: fn();
    PyOS_AfterFork_Parent: fn();
    PyOS_AfterFork_Child: fn();
}

/// The address of a symbol; `name` ends with a zero byte.
fn symbol(library: *mut c_void, name: &str) -> Result<*mut c_void, String> {
    // SAFETY: a library that stays open, and a name that ends with a zero byte.
    let address = unsafe { libc::dlsym(library, name.as_ptr().cast()) };
    if address.is_null() { Err(format!("its library lacks {}", name.trim_end_matches('\0'))) } else { Ok(address) }
}

/// Why there is none.
pub(crate) enum NotWarm {
    /// Commands are executed, as ever.
    Cold(String),
    /// A module that must be there is not to be had.
    Module { name: String, why: String },
}

impl From<String> for NotWarm {
    fn from(why: String) -> Self {
        NotWarm::Cold(why)
    }
}

impl From<&str> for NotWarm {
    fn from(why: &str) -> Self {
        NotWarm::Cold(why.to_owned())
    }
}

/// The interpreter of this process.
pub(crate) struct Interpreter {
    api: Api,
    none: Object,
    keyboard_interrupt: *const Object,
    system_exit: *const Object,
    begin: Object,
    code_of_exit: Object,
    end: Object,
    trial: Object,
    safe_path: bool,
    /// What a command must begin with to go on here: program and flags.
    start: Vec<CString>,
    /// The scripts that it knows, by their paths.
    scripts: Vec<CString>,
    /// What every command writes to; where no script is known, all that commands do.
    hot: Vec<Stretch>,
    /// What one with a script that nobody knew writes to besides.
    besides: Vec<Stretch>,
    /// The environment that it was started with.
    pub(crate) env: Vec<(String, String)>,
}

impl Interpreter {
    /// Starts it in this process, which must have one thread and the environment that commands are to have.
    ///
    /// # Errors
    /// Says why it cannot be; the process is then of no more use to Python, but to cages. A library that ends the
    /// process in its start is for the host to notice.
    pub(crate) fn start(warm: &WarmPython) -> Result<Self, NotWarm> {
        let text = |text: &str| CString::new(text).map_err(|_| "its path has a zero byte in it".to_owned());
        let path = warm.library.as_ref().ok_or("it has no shared library")?;
        let path = path.to_str().ok_or("the path of its library is not UTF-8")?;
        let program = warm.program.to_str().ok_or("its path is not UTF-8")?;
        // SAFETY: a valid C string; the library's own initialisers are what runs in any Python.
        let library = unsafe { libc::dlopen(text(path)?.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if library.is_null() {
            return Err(format!("its library {path} cannot be loaded").into());
        }
        let api = Api::load(library)?;
        // SAFETY: may be called before the interpreter starts and returns a static string.
        let version = unsafe { CStr::from_ptr((api.Py_GetVersion)()) }.to_string_lossy().into_owned();
        if numbers(&version) < OLDEST || numbers(&version) != numbers(&warm.version) {
            let version = version.split(' ').next().unwrap_or("unknown");
            return Err(format!("its library is of version {version}").into());
        }
        let safe_path = set_flags(library, &warm.flags)?;
        let name: Vec<libc::wchar_t> = program.chars().map(|c| c as libc::wchar_t).chain([0]).collect();
        // SAFETY: the calls come in the order that Python asks for: name, start, then everything else, all on this one
        // thread. The name is leaked, as Python keeps the pointer.
        unsafe {
            let arenas = frozen::ALLOCATOR;
            (api.PyObject_SetArenaAllocator)(&raw const arenas);
            (api.Py_SetProgramName)(Box::leak(name.into_boxed_slice()).as_ptr());
            if safe_path {
                libc::setenv(c"PYTHONSAFEPATH".as_ptr(), c"1".as_ptr(), 1);
            }
            sys::pipes_as_streams().map_err(|errno| format!("no pipes: error {errno}"))?;
            (api.Py_InitializeEx)(1);
            libc::unsetenv(c"PYTHONSAFEPATH".as_ptr());
            sys::quiet_streams().map_err(|errno| format!("no /dev/null: error {errno}"))?;
            let source = text(include_str!("warm.py"))?;
            let code = (api.Py_CompileString)(source.as_ptr(), c"<warm>".as_ptr(), FILE_INPUT);
            let module = if code.is_null() { code } else { (api.PyImport_ExecCodeModule)(c"_warm".as_ptr(), code) };
            if module.is_null() {
                return Err("what it runs first does not fit this version".into());
            }
            let function = |name: &CStr| (api.PyObject_GetAttrString)(module, name.as_ptr());
            let prepare = function(c"prepare");
            let start = std::iter::once(program).chain(warm.flags.iter().map(String::as_str));
            let mut interpreter = Interpreter {
                none: symbol(library, "_Py_NoneStruct\0")?,
                keyboard_interrupt: symbol(library, "PyExc_KeyboardInterrupt\0")?.cast(),
                system_exit: symbol(library, "PyExc_SystemExit\0")?.cast(),
                begin: function(c"begin"),
                code_of_exit: function(c"code_of_exit"),
                end: function(c"end"),
                trial: function(c"trial"),
                start: start.map(text).collect::<Result<_, _>>()?,
                api,
                safe_path,
                scripts: warm.scripts.iter().map(|(path, _)| text(path)).collect::<Result<_, _>>()?,
                hot: Vec::new(),
                besides: Vec::new(),
                env: warm.env.clone(),
            };
            interpreter.prepare(prepare, warm)?;
            crate::holes::fill(interpreter.api.PyObject_Malloc);
            // Without it commands are slower, no more.
            frozen::freeze().ok();
            if interpreter.scripts.is_empty() {
                interpreter.hot = trial::hot_pages(&interpreter, false);
            } else {
                interpreter.hot = trial::hot_pages(&interpreter, true);
                interpreter.besides = trial::hot_pages(&interpreter, false);
            }
            Ok(interpreter)
        }
    }

    fn prepare(&self, prepare: Object, warm: &WarmPython) -> Result<(), NotWarm> {
        let (names, required) = (warm.modules.join(","), warm.required.join(","));
        let search: Vec<&str> = warm.search.iter().filter_map(|path| path.to_str()).collect();
        let search = search.join("\n");
        let scripts = warm.scripts.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()]);
        let texts: Vec<&[u8]> =
            [warm.version.as_str(), &names, &required, &search].into_iter().chain(scripts).map(str::as_bytes).collect();
        // SAFETY: the interpreter runs and belongs to this thread; results are checked before they are used.
        unsafe {
            let result = self.call(prepare, &texts);
            if result == self.none {
                return Ok(());
            }
            if result.is_null() {
                (self.api.PyErr_Clear)();
                return Err("an error in its preparation".into());
            }
            let bytes = (self.api.PyUnicode_AsUTF8String)(result);
            if bytes.is_null() {
                return Err("its preparation gave no reason".into());
            }
            let why = CStr::from_ptr((self.api.PyBytes_AsString)(bytes)).to_string_lossy();
            Err(match why.split_once('\n') {
                Some((name, why)) => NotWarm::Module { name: name.to_owned(), why: why.to_owned() },
                None => NotWarm::Cold(why.into_owned()),
            })
        }
    }

    /// Calls a function with texts; null if that raised.
    ///
    /// # Safety
    /// The interpreter must be running on this thread.
    unsafe fn call(&self, function: Object, texts: &[&[u8]]) -> Object {
        // SAFETY: as of the caller; the tuple takes over each text, and is itself let go with the process.
        unsafe {
            let arguments = (self.api.PyTuple_New)(texts.len() as isize);
            for (place, text) in (0..).zip(texts) {
                let text = (self.api.PyUnicode_DecodeFSDefaultAndSize)(text.as_ptr().cast(), text.len() as isize);
                (self.api.PyTuple_SetItem)(arguments, place, text);
            }
            (self.api.PyObject_CallObject)(function, arguments)
        }
    }

    /// Whether a command may go on here: it begins with the program and the flags, and a script by its full path follows.
    ///
    /// # Safety
    /// `argv` must point to valid C strings with a null pointer behind them.
    pub(crate) unsafe fn takes(&self, argv: *const *const c_char) -> bool {
        // SAFETY: no pointer behind the null one is read: each but the last compared was a string.
        unsafe {
            for (place, wanted) in self.start.iter().enumerate() {
                let argument = *argv.wrapping_add(place);
                if argument.is_null() || CStr::from_ptr(argument) != wanted.as_c_str() {
                    return false;
                }
            }
            let script = *argv.wrapping_add(self.start.len());
            !script.is_null() && *script == b'/' as c_char
        }
    }

    /// Whether a command with these variables may go on here. None: those of the cage.
    ///
    /// # Safety
    /// `environment` must point to valid C strings with a null pointer behind them.
    pub(crate) unsafe fn takes_environment(&self, environment: *const *const c_char) -> bool {
        let mut place = environment;
        // SAFETY: no pointer behind the null one is read.
        unsafe {
            while !(*place).is_null() {
                let line = CStr::from_ptr(*place).to_bytes();
                let known = self.env.iter().any(|(name, value)| {
                    line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                        == Some(value.as_bytes())
                });
                if !known && READ_EARLY.iter().any(|early| line.starts_with(early.as_bytes())) {
                    return false;
                }
                place = place.wrapping_add(1);
            }
        }
        true
    }

    /// Forks, with all that Python wants done around it. In the child, [`Self::forked`] must come first.
    pub(crate) fn fork(&self) -> Result<libc::pid_t, sys::Errno> {
        // SAFETY: the one thread of this process holds the interpreter.
        unsafe {
            (self.api.PyOS_BeforeFork)();
            let pid = libc::fork();
            let errno = sys::errno();
            if pid != 0 {
                (self.api.PyOS_AfterFork_Parent)();
            }
            if pid < 0 { Err(errno) } else { Ok(pid) }
        }
    }

    /// Whether what a warm start does not have to do can be left out: program and script must be files as usual.
    ///
    /// # Safety
    /// `argv` must be one that [`Self::takes`].
    pub(crate) unsafe fn usual(&self, argv: *const *const c_char) -> bool {
        // SAFETY: both strings are there, as `takes` found; the structure is written by the call.
        unsafe {
            let mut status: libc::stat = std::mem::zeroed();
            libc::access(*argv, libc::X_OK) == 0
                && libc::stat(*argv.wrapping_add(self.start.len()), &raw mut status) == 0
                && status.st_mode & libc::S_IFMT == libc::S_IFREG
        }
    }

    /// In the child of [`Self::fork`], before anything else of Python.
    pub(crate) fn forked(&self) {
        frozen::copy_ahead(&self.hot);
        // SAFETY: the child of a fork has the interpreter to itself.
        unsafe { (self.api.PyOS_AfterFork_Child)() };
    }

    /// In the child of [`Self::fork`], behind [`Self::forked`]: does what commands do, with a known script or with others,
    /// as far as it has no effect.
    pub(crate) fn try_out(&self, known: bool) {
        let words: &[&[u8]] = if known { &[b"known"] } else { &[] };
        // SAFETY: as for `forked`.
        unsafe {
            if self.call(self.trial, words).is_null() {
                (self.api.PyErr_Clear)();
            }
        }
    }

    /// Goes on as the command: runs the script as Python's own `main` would, and ends the process.
    ///
    /// # Safety
    /// Only behind [`Self::forked`], with an `argv` that [`Self::takes`] and an `environment` that [`Self::takes_environment`].
    pub(crate) unsafe fn go_on(&self, argv: *const *const c_char, environment: *const *const c_char) -> ! {
        frozen::copy_ahead_in_forks(&self.hot);
        let api = &self.api;
        // SAFETY: the child of a fork, told so first, has the interpreter to itself; `argv` holds what `takes` found;
        // every result is checked before it is used.
        unsafe {
            let script = CStr::from_ptr(*argv.wrapping_add(self.start.len()));
            if !self.scripts.iter().any(|known| known.as_c_str() == script) {
                frozen::copy_ahead(&self.besides);
            }
            let list = |mut place: *const *const c_char| {
                let mut texts = Vec::new();
                while !(*place).is_null() {
                    texts.push(CStr::from_ptr(*place).to_bytes());
                    place = place.wrapping_add(1);
                }
                texts
            };
            let (words, variables) = (list(argv), list(environment));
            let (first, count) = (self.start.len().to_string(), variables.len().to_string());
            let safe_path: &[u8] = if self.safe_path { b"1" } else { b"" };
            let mut texts = vec![first.as_bytes(), safe_path, count.as_bytes()];
            texts.extend(variables);
            texts.extend(words);
            let code = self.call(self.begin, &texts);
            if code.is_null() {
                (api.PyErr_Print)();
                self.end(1, false);
            }
            let globals = (api.PyModule_GetDict)((api.PyImport_AddModule)(c"__main__".as_ptr()));
            let (mut status, mut interrupted) = (0, false);
            if (api.PyEval_EvalCode)(code, globals, globals).is_null() {
                status = 1;
                if (api.PyErr_ExceptionMatches)(*self.system_exit) != 0 {
                    status = self.status_of_exit();
                } else {
                    interrupted = (api.PyErr_ExceptionMatches)(*self.keyboard_interrupt) != 0;
                    (api.PyErr_Print)();
                }
            }
            self.end(status, interrupted)
        }
    }

    /// The status that the SystemExit just raised asks for.
    ///
    /// # Safety
    /// As for [`Self::go_on`].
    unsafe fn status_of_exit(&self) -> c_int {
        let api = &self.api;
        // SAFETY: three places for what is fetched, which is there; every result is checked before it is used.
        unsafe {
            let [mut kind, mut value, mut trace] = [std::ptr::null_mut(); 3];
            (api.PyErr_Fetch)(&raw mut kind, &raw mut value, &raw mut trace);
            (api.PyErr_NormalizeException)(&raw mut kind, &raw mut value, &raw mut trace);
            let arguments = (api.PyTuple_New)(1);
            (api.PyTuple_SetItem)(arguments, 0, value);
            let status = (api.PyObject_CallObject)(self.code_of_exit, arguments);
            if status.is_null() {
                (api.PyErr_Clear)();
                return 1;
            }
            (api.PyLong_AsLong)(status) as c_int
        }
    }

    /// What Python's `main` does at its end: threads, `atexit`, streams, then the process.
    ///
    /// # Safety
    /// As for [`Self::go_on`].
    unsafe fn end(&self, mut status: c_int, interrupted: bool) -> ! {
        // SAFETY: nothing of Python is used behind its end, which comes here in short or, if that fails, in full.
        unsafe {
            let ended = (self.api.PyObject_CallObject)(self.end, (self.api.PyTuple_New)(0));
            let at_once = !ended.is_null() && (self.api.PyLong_AsLong)(ended) == 1;
            if ended.is_null() {
                (self.api.PyErr_Clear)();
                if (self.api.Py_FinalizeEx)() < 0 {
                    status = NO_FLUSH;
                }
            }
            if interrupted {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                libc::kill(libc::getpid(), libc::SIGINT);
            }
            if at_once { libc::_exit(status) } else { libc::exit(status) }
        }
    }
}

/// Sets what the flags stand for. Returns whether the script's folder is kept off the search path (`-P`), which has no
/// variable of its own.
fn set_flags(library: *mut c_void, flags: &[String]) -> Result<bool, String> {
    let mut safe_path = false;
    for flag in flags {
        let name = match flag.as_str() {
            "-s" => "Py_NoUserSiteDirectory\0",
            "-S" => "Py_NoSiteFlag\0",
            "-B" => "Py_DontWriteBytecodeFlag\0",
            "-P" => {
                safe_path = true;
                continue;
            }
            other => return Err(format!("its flag {other} is not known here")),
        };
        let variable = symbol(library, name)?.cast::<c_int>();
        // SAFETY: these variables are plain integers, meant to be set before the start.
        unsafe { *variable = 1 };
    }
    Ok(safe_path)
}

/// Major and minor of a version line.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert_eq!(numbers("3.11.7 (main, …) [GCC]"), (3, 11));
        assert!(numbers("3.8.18") < numbers("3.10.1"));
        assert_eq!(numbers("nonsense"), (0, 0));
    }
}
