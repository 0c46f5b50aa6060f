//! The repository that contains the blueprint: the workflows that show what a change of the blueprint changes, and propose it to the
//! other repositories. Not the blueprint itself, which people write.

use crate::{foundation::Foundation, github::Review, page::Page, pages};

/// Nothing without `[github.review]`.
pub fn pages(foundation: &Foundation) -> Vec<Page> {
    let Some(review) = &foundation.github.review else { return Vec::new() };
    pages! { { foundation: Foundation, review: Review }
        Unlisted "blueprint/.gitattributes",
        Unlisted "blueprint/.github/workflows/propose.yml",
        Unlisted "blueprint/.github/workflows/review.yml",
        Unlisted "blueprint/.github/scripts/clone.sh",
        Unlisted "blueprint/.github/scripts/comment.sh",
        Unlisted "blueprint/.github/scripts/compare.sh",
        Unlisted "blueprint/.github/scripts/install.sh",
        Unlisted "blueprint/.github/scripts/names.sh",
        Unlisted "blueprint/.github/scripts/propose.sh",
    }
}
