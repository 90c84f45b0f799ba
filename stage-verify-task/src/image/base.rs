//! The image that the image of an environment is built from.

use common::environment::{Environment, Workspace};
use common::ui::Ui;
use task_spec::machine::{EnvironmentSpec, SpecFault};

use super::{NoImage, Recipe, no_image, repository};
use crate::engine::Docker;

/// An image to start from.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) name: String,
    /// It changes with the content.
    pub(crate) id: String,
}

/// Where images to start from come from.
pub(crate) struct Bases<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) recipe: &'a Recipe,
    pub(crate) workspace: &'a Workspace,
    pub(crate) ui: &'a Ui,
}

impl Bases<'_> {
    /// The image to start from: the one that was asked for, or what the spec names.
    pub(crate) fn of(&self, environment: &Environment, spec: &EnvironmentSpec) -> Result<Base, NoImage> {
        spec.ensure_container().map_err(|fault| NoImage(format!("{fault}; use --engine gym-anything")))?;
        let name = self.name(environment, spec)?;
        let id = self.docker.image_id(&name).map_err(no_image)?;
        let id = id.ok_or_else(|| NoImage(format!("there is no image {name}")))?;
        Ok(Base { name, id })
    }

    fn name(&self, environment: &Environment, spec: &EnvironmentSpec) -> Result<String, NoImage> {
        if let Some(image) = self.recipe.base_image.as_ref().or(spec.image.as_ref()) {
            if self.docker.image_id(image).map_err(no_image)?.is_none() {
                self.ui.info(format_args!("pulling {image}"));
                self.docker.pull(image).map_err(no_image)?;
            }
            return Ok(image.clone());
        }
        let Some(dockerfile) = &spec.dockerfile else {
            let preset = spec.base.as_deref().unwrap_or("nothing");
            let message =
                format!("the environment is based on {preset}, which is not an image; pass --base-image");
            return Err(NoImage(message));
        };
        let candidates = [environment.root.join(dockerfile), self.workspace.root().join(dockerfile)];
        let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
            return Err(no_image(SpecFault::NoSource(dockerfile.clone())));
        };
        let tag = format!("verify-task/{}:base", repository(&environment.name));
        self.ui.info(format_args!("building {dockerfile}"));
        let context = path.parent().unwrap_or(&environment.root);
        self.docker.build(&path.to_string_lossy(), &context.to_string_lossy(), &tag).map_err(no_image)?;
        Ok(tag)
    }
}
