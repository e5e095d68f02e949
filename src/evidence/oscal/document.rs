//! The part of OSCAL's assessment-results model that we write: version 1.2.2, names as in its JSON schema.
//!
//! The schema wants no empty array and no empty text: lists that may be empty are left out then, and [`super::text`] makes the texts.

use serde::Serialize;

/// Leaves out what is empty: the schema's arrays have at least one item.
fn none<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// Declares objects of the model: `field` is required, `field: Option` and `field: Vec` are left out when empty.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub(super) struct $name { $($(#[$attribute])* pub(super) $field: $kind,)* }
    )*};
}

/// A document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Document {
    pub(super) assessment_results: AssessmentResults,
}

objects! {
    AssessmentResults {
        uuid: String,
        metadata: Metadata,
        import_ap: ImportAp,
        results: Vec<AssessmentResult>,
        back_matter: BackMatter,
    }

    Metadata {
        title: String,
        last_modified: String,
        version: String,
        oscal_version: &'static str,
        props: Vec<Property>,
    }

    ImportAp {
        href: String,
        remarks: String,
    }

    /// One bundle.
    AssessmentResult {
        uuid: String,
        title: String,
        description: String,
        start: String,
        end: String,
        props: Vec<Property>,
        local_definitions: LocalDefinitions,
        reviewed_controls: ReviewedControls,
        #[serde(skip_serializing_if = "none")]
        observations: Vec<Observation>,
        #[serde(skip_serializing_if = "none")]
        findings: Vec<Finding>,
        #[serde(skip_serializing_if = "Option::is_none")]
        remarks: Option<String>,
    }

    Property {
        name: &'static str,
        ns: &'static str,
        value: String,
    }

    LocalDefinitions {
        components: Vec<Component>,
        #[serde(skip_serializing_if = "none")]
        inventory_items: Vec<InventoryItem>,
    }

    Component {
        uuid: String,
        r#type: &'static str,
        title: String,
        description: String,
        #[serde(skip_serializing_if = "none")]
        props: Vec<Property>,
        status: ComponentStatus,
    }

    ComponentStatus {
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        remarks: Option<&'static str>,
    }

    InventoryItem {
        uuid: String,
        description: String,
        props: Vec<Property>,
        implemented_components: Vec<ImplementedComponent>,
    }

    ImplementedComponent {
        component_uuid: String,
    }

    ReviewedControls {
        description: String,
        control_selections: Vec<ControlSelection>,
        #[serde(skip_serializing_if = "Option::is_none")]
        remarks: Option<String>,
    }

    ControlSelection {
        include_controls: Vec<SelectedControl>,
    }

    SelectedControl {
        control_id: String,
    }

    /// One statement about one cluster.
    Observation {
        uuid: String,
        title: String,
        description: String,
        props: Vec<Property>,
        methods: [&'static str; 1],
        types: Vec<&'static str>,
        origins: [Origin; 1],
        subjects: Vec<Subject>,
        #[serde(skip_serializing_if = "none")]
        relevant_evidence: Vec<Evidence>,
        collected: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        remarks: Option<String>,
    }

    Origin {
        actors: [Actor; 1],
    }

    Actor {
        r#type: &'static str,
        actor_uuid: String,
    }

    Subject {
        subject_uuid: String,
        r#type: &'static str,
    }

    Evidence {
        href: String,
        description: String,
    }

    /// One control.
    Finding {
        uuid: String,
        title: String,
        description: String,
        props: Vec<Property>,
        target: Target,
        #[serde(skip_serializing_if = "none")]
        related_observations: Vec<RelatedObservation>,
    }

    Target {
        r#type: &'static str,
        target_id: String,
        status: Status,
    }

    Status {
        state: &'static str,
        reason: &'static str,
        remarks: String,
    }

    RelatedObservation {
        observation_uuid: String,
    }

    BackMatter {
        resources: Vec<Resource>,
    }

    Resource {
        uuid: String,
        title: String,
        rlinks: [ResourceLink; 1],
    }

    ResourceLink {
        href: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
        hashes: [Hash; 1],
    }

    Hash {
        algorithm: &'static str,
        value: String,
    }
}
