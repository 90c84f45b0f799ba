//! The modules that verifiers import and the Python does not have: one line that separates defects of tasks from a
//! Python that lacks packages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use common::text::escape;

use crate::check::CheckedSpec;

/// How many modules the line names.
const SHOWN: usize = 10;

/// The packages of PyPI for the modules of the benchmark's verifiers. A module that is not listed is not given an
/// install command: a package of the same name may be something else.
const PACKAGES: [(&str, &str); 33] = [
    ("Bio", "biopython"),
    ("Levenshtein", "Levenshtein"),
    ("PIL", "Pillow"),
    ("PyPDF2", "PyPDF2"),
    ("astropy", "astropy"),
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python"),
    ("dbfread", "dbfread"),
    ("docx", "python-docx"),
    ("ezdxf", "ezdxf"),
    ("fuzzywuzzy", "fuzzywuzzy"),
    ("lxml", "lxml"),
    ("matplotlib", "matplotlib"),
    ("nibabel", "nibabel"),
    ("nrrd", "pynrrd"),
    ("numpy", "numpy"),
    ("odf", "odfpy"),
    ("openai", "openai"),
    ("openpyxl", "openpyxl"),
    ("pandas", "pandas"),
    ("pdfminer", "pdfminer.six"),
    ("phpserialize", "phpserialize"),
    ("pptx", "python-pptx"),
    ("pypdf", "pypdf"),
    ("pytz", "pytz"),
    ("requests", "requests"),
    ("scipy", "scipy"),
    ("shapefile", "pyshp"),
    ("shapely", "shapely"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("statsmodels", "statsmodels"),
    ("yaml", "PyYAML"),
];

/// The module of gym-anything, which is installed from its checkout.
const GYM_ANYTHING: &str = "gym_anything";

/// Counts of missing modules in a run.
#[derive(Default)]
pub(super) struct MissingModules {
    /// The tasks that miss any.
    tasks: u64,
    /// The tasks that miss each module.
    by_module: BTreeMap<String, u64>,
}

impl MissingModules {
    pub(super) fn add(&mut self, spec: &CheckedSpec) {
        let modules = &spec.findings.missing_modules;
        self.tasks += u64::from(!modules.is_empty());
        for module in modules {
            *self.by_module.entry(module.clone()).or_default() += 1;
        }
    }

    /// The line about them, if there are any.
    pub(super) fn line(&self, bad: u64, python: &str) -> Option<String> {
        if self.tasks == 0 {
            return None;
        }
        let (tasks, modules) = (self.tasks, self.most_frequent());
        let mut parts = vec![format!(
            "{tasks} of {bad} bad verdicts report modules that {python} does not have: {modules}"
        )];
        let install = self.install();
        if !install.is_empty() {
            parts.push(format!("to install them: {python} -m pip install {}", install.join(" ")));
        }
        if self.by_module.contains_key(GYM_ANYTHING) {
            parts.push(format!(
                "gym_anything is the package in the checkout of gym-anything: {python} -m pip install -e \
                 PATH_OF_THE_CHECKOUT"
            ));
        }
        Some(parts.join("; "))
    }

    fn most_frequent(&self) -> String {
        let mut modules: Vec<_> = self.by_module.iter().collect();
        modules.sort_by_key(|(name, count)| (Reverse(**count), *name));
        let mut shown: Vec<_> =
            modules.iter().take(SHOWN).map(|(name, count)| format!("{} ({count})", escape(name))).collect();
        if modules.len() > SHOWN {
            shown.push(format!("and {} more", modules.len() - SHOWN));
        }
        shown.join(", ")
    }

    fn install(&self) -> Vec<&'static str> {
        let missing: BTreeSet<_> =
            self.by_module.keys().map(|module| module.split('.').next().unwrap_or_default()).collect();
        PACKAGES.iter().filter(|(module, _)| missing.contains(module)).map(|(_, package)| *package).collect()
    }
}
