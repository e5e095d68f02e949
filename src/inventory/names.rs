//! Texts that repeat among the interfaces of a file, each kept once.
//!
//! Of the texts of an interface few are its own: its ids and, of some, the description. What many share (account, VPC, subnet, zone,
//! groups, tags) would else take most of the memory of a large listing.

use crate::inventory::snapshot::{EniSighting, Sighting};
use hashbrown::HashSet;
use std::sync::Arc;

/// The texts that were met.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    /// Puts the texts that were met before in place of those of the sightings, and gives back what room their lists have left.
    pub(super) fn share(&mut self, sightings: &mut [Sighting]) {
        for sighting in sightings {
            if let Sighting::Eni(eni) = sighting {
                self.share_eni(eni);
            }
        }
    }

    /// The same for one interface.
    pub(super) fn share_eni(&mut self, eni: &mut EniSighting) {
        let texts = [
            &mut eni.owner.account,
            &mut eni.owner.region,
            &mut eni.owner_id,
            &mut eni.vpc_id,
            &mut eni.subnet_id,
            &mut eni.az_id,
            &mut eni.az_name,
            &mut eni.description,
            &mut eni.interface_type,
            &mut eni.requester_id,
            &mut eni.instance_id,
            &mut eni.instance_owner,
        ];
        texts.into_iter().flatten().chain(&mut eni.groups).for_each(|text| self.one(text));
        eni.tags.share(|text| self.one(text));
        eni.groups.shrink_to_fit();
        eni.primary.shrink_to_fit();
        eni.secondary.shrink_to_fit();
        eni.prefixes.shrink_to_fit();
        eni.public.shrink_to_fit();
    }

    fn one(&mut self, text: &mut Arc<str>) {
        *text = Arc::clone(self.0.get_or_insert_with(&**text, |_| Arc::clone(text)));
    }
}
