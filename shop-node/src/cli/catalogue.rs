//! Products from the command line.

use std::{fs::File, io::Read, path::PathBuf};

use kirana_core::id::ProductId;
use kirana_picture::FILE_BYTES_MAX;
use serde_json::json;

use super::{Data, Done, Failure, categories::Category};
use crate::{app::images::NotPictured, clock, home::Home};

/// What products look like.
#[derive(clap::Args)]
pub struct Catalogue {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Gives a product the picture that is in a file, or takes it away.
    ///
    /// A PNG, JPEG or WebP file of up to 8 MiB and 25 million points; it is encoded anew, without
    /// anything that a camera noted in it.
    Image {
        #[command(flatten)]
        data: Data,
        /// The product's id.
        product: ProductId,
        /// The file.
        #[arg(required_unless_present = "remove")]
        file: Option<PathBuf>,
        /// Takes the picture away.
        #[arg(long, conflicts_with = "file")]
        remove: bool,
    },
    /// What products are sorted by.
    Category {
        #[command(subcommand)]
        what: Category,
    },
}

impl Catalogue {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let (data, product, file) = match self.what {
            What::Image { data, product, file, .. } => (data, product, file),
            What::Category { what } => return what.run(with),
        };
        let (now, mut rng) = (clock::now(), clock::rng());
        let Some(path) = file else {
            let shop = with(data).shop()?;
            let by = shop.keys().node.id();
            shop.remove_image(product, by, now, &mut rng).map_err(Failure::of)?;
            return Ok(Done::new("The product has no picture now.", json!({ "id": product })));
        };
        let cannot = |why| Failure::of(format!("{} cannot be read: {why}", path.display()));
        let mut bytes = Vec::new();
        // One byte more than may be, so that a longer file is seen as such.
        let most = FILE_BYTES_MAX as u64 + 1;
        let open = File::open(&path).map_err(cannot)?;
        open.take(most).read_to_end(&mut bytes).map_err(cannot)?;
        let shop = with(data).shop()?;
        let by = shop.keys().node.id();
        let set = shop.set_image(product, &bytes, by, now, &mut rng);
        let image = set.map_err(|why| match why {
            NotPictured::Unfit(why) => Failure::of(format!("{}: {why}", path.display())),
            NotPictured::NotEdited(why) => Failure::of(why),
        })?;
        let says = format!("The product looks like {image} now.");
        Ok(Done::new(says, json!({ "id": product, "image": image })))
    }
}
