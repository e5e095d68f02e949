//! The document against the rules that a schema cannot check, and against values worked out by hand.
//!
//! The documents of both fixtures are written to `target/tmp/oscal/`, where `tests/oscal/check.py` finds them for the schema and for trestle.

#[cfg(test)]
mod tests {
    use crate::evidence::limits::limits_for;
    use crate::evidence::oscal::*;
    use crate::evidence::results::{InputsUsed, PolicyUsed, SCHEMA, StatementDay};
    use serde_json::Value;
    use sha2::{Digest, Sha256};

    const RUN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const PROD: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/prod";
    /// Names that try to end lines, tags, strings and documents.
    const HOSTILE: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/<script>alert(1)</script>\"\n\u{2028}\u{202e}\u{1b}[31m{{ insert: param, x }}*_`[a](javascript:b)";
    const COLLECTED: i64 = 1_790_985_600; // 2026-10-03T00:00:00Z

    fn run() -> RunIdentity<'static> {
        RunIdentity { run_digest: RUN, collected: COLLECTED, parameters: "params.json" }
    }

    fn file(path: &str, media_type: &str) -> BundleFile {
        let digest = Sha256::digest(path.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        BundleFile { path: path.to_owned(), media_type: media_type.to_owned(), sha256: digest }
    }

    fn files() -> Vec<BundleFile> {
        let mut files: Vec<BundleFile> =
            ["statements.csv", "coverage.csv", "destinations.csv", "exceptions.csv"].iter().map(|path| file(path, "text/csv")).collect();
        files.push(file("params.json", "application/json"));
        files.push(file("sql/a b#\u{e9}.sql", " "));
        files.push(file("sql/coverage.sql", "application/sql"));
        files
    }

    /// Nothing but what must be there: no cluster, no statement, one control that nothing assesses.
    fn minimal() -> Results {
        let catalogue = Catalogue::builtin().unwrap();
        let inputs = InputsUsed {
            objects: 0,
            objects_incomplete: 0,
            objects_left_out: 0,
            bytes: 0,
            lines: 0,
            ok: 0,
            nodata: 0,
            skipdata: 0,
            rejected: 0,
            outside_window: 0,
            duplicate: 0,
            digest: String::new(),
            inventory_files: 0,
            inventory_digest: String::new(),
        };
        Results {
            schema: SCHEMA.to_owned(),
            tool: "flowproof 0.1.0".to_owned(),
            period: Period { from: "2026-10-01T00:00:00Z".to_owned(), to: "2026-10-03T00:00:00Z".to_owned() },
            clusters: vec![],
            statements: vec![],
            controls: catalogue.judge(&catalogue.controls(&["SC-8", "pci-dss"]).unwrap(), &[]),
            destinations: vec![],
            exceptions: vec![],
            coverage: vec![],
            gaps: vec![],
            policy: None,
            inputs,
            limits: vec![],
            notes: vec![],
        }
    }

    fn statement(id: &str, cluster: &str, verdict: Verdict, covered: &[Option<u64>]) -> Statement {
        let day = |(at, covered_per_10000): (usize, &Option<u64>)| StatementDay {
            day: format!("2026-10-0{}", at + 1),
            verdict,
            reason: "a reason".to_owned(),
            covered_per_10000: *covered_per_10000,
            population: 24,
            tested: 24,
            violations: 0,
            indeterminate: 0,
        };
        Statement {
            id: id.to_owned(),
            text: format!("{id} holds of CUSTOMER_ROUTED clusters."),
            cluster_arn: cluster.to_owned(),
            verdict,
            reason: if verdict == Verdict::Pass { String::new() } else { format!("{verdict} since <b>gaps</b>\nof {cluster}") },
            population: 48,
            tested: 40,
            violations: u64::from(verdict == Verdict::Fail),
            indeterminate: 7,
            sql: ["sql/coverage.sql", "sql/a b#\u{e9}.sql", ""][usize::from(id.starts_with('C')) + 2 * usize::from(id == "F2")].to_owned(),
            days: covered.iter().enumerate().map(day).collect(),
        }
    }

    /// Three clusters, one hostile and one that only statements name; every verdict; every control.
    fn rich() -> Results {
        let catalogue = Catalogue::builtin().unwrap();
        let scope = |cluster: &str, arn: &str, region: Option<&str>, interfaces: &[&str]| ClusterScope {
            cluster: cluster.to_owned(),
            cluster_arn: arn.to_owned(),
            account_id: Some("111122223333".to_owned()),
            region: region.map(str::to_owned),
            vpc_id: Some(String::new()),
            egress_modes: vec![Some("AWS_MANAGED".to_owned()), None],
            interfaces: interfaces.iter().map(|&id| id.to_owned()).collect(),
        };
        let mut results = minimal();
        // The same interface under two clusters, and twice under one, as a broken inventory may say.
        results.clusters = vec![
            scope("prod", PROD, Some("eu-west-1"), &["eni-0a", "eni-0b", "eni-0a"]),
            scope(" \n", HOSTILE, None, &["eni-0a", "*]({{x}}\u{2028}"]),
        ];
        let verdict = |id: &str| match id {
            "B2" | "C3" => Verdict::Indeterminate,
            "C2" => Verdict::Fail,
            _ => Verdict::Pass,
        };
        for id in crate::evidence::controls::STATEMENTS {
            results.statements.push(statement(id, PROD, verdict(id), &[Some(10_000), Some(9_583), None]));
            results.statements.push(statement(id, HOSTILE, Verdict::Pass, &[]));
        }
        results.statements.push(statement("A1", "arn:not-in-scope", Verdict::Indeterminate, &[None]));
        results.controls = catalogue.judge(&catalogue.controls::<&str>(&[]).unwrap(), &results.statements);
        results.policy = Some(PolicyUsed {
            name: "prod\negress".to_owned(),
            version: "2026-10-01.2".to_owned(),
            sha256: "ab".repeat(32),
            rules: 3,
            findings: vec![],
        });
        results.inputs.objects = 96;
        results.inputs.digest = "cd".repeat(32);
        results.limits = limits_for(&crate::evidence::controls::STATEMENTS).unwrap();
        results.notes = vec!["a note\nof <two> lines".to_owned(), String::new()];
        results
    }

    fn document(results: &Results) -> Value {
        let json = assessment_results(results, &files(), &run()).unwrap().unwrap().to_json().unwrap();
        serde_json::from_str(&json).unwrap()
    }

    /// Calls a function with each key and value of a document.
    fn walk(value: &Value, key: &str, see: &mut dyn FnMut(&str, &Value)) {
        see(key, value);
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, key, see)),
            Value::Object(fields) => fields.iter().for_each(|(key, field)| walk(field, key, see)),
            _ => {}
        }
    }

    #[test]
    fn references_resolve_and_identifiers_are_unique() {
        for (results, least) in [(minimal(), 1), (rich(), 200)] {
            let (mut defined, mut used) = (Vec::new(), Vec::new());
            walk(&document(&results), "", &mut |key, value| match (key, value) {
                ("uuid", Value::String(uuid)) => defined.push(uuid.clone()),
                ("href", Value::String(href)) if href.starts_with('#') => used.push(href[1..].to_owned()),
                (key, Value::String(uuid)) if key.ends_with("-uuid") => used.push(uuid.clone()),
                _ => {}
            });
            let known: BTreeSet<&String> = defined.iter().collect();
            assert_eq!(known.len(), defined.len(), "identifiers are unique");
            assert!(used.len() >= least, "{} references", used.len());
            used.iter().for_each(|uuid| assert!(known.contains(uuid), "{uuid} does not resolve"));
            assert!(known.iter().all(|uuid| uuid.len() == 36 && uuid.as_bytes()[14] == b'5'), "version 5");
        }
    }

    #[test]
    fn nothing_is_empty_and_nothing_breaks_out() {
        for results in [minimal(), rich()] {
            walk(&document(&results), "", &mut |key, value| match value {
                Value::Array(items) => assert!(!items.is_empty(), "{key} is an empty array"),
                Value::Null => panic!("{key} is null"),
                Value::Object(fields) => assert!(!fields.is_empty(), "{key} is an empty object"),
                Value::String(text) => {
                    assert!(!text.is_empty() && text.trim() == text, "{key}: {text:?}");
                    assert!(!text.contains(['\u{1b}', '\u{2028}', '\u{202e}']), "{key}: {text:?}");
                    // Result remarks are a list, of our making.
                    assert!(key == "remarks" || !text.contains('\n'), "{key}: {text:?}");
                    assert!(key == "value" || !text.contains("<") && !text.contains("{{"), "{key}: {text:?}");
                }
                _ => {}
            });
        }
    }

    #[test]
    fn same_results_give_the_same_bytes_and_another_run_other_identifiers() {
        let make = |digest: &str| {
            let run = RunIdentity { run_digest: digest, ..run() };
            assessment_results(&rich(), &files(), &run).unwrap().unwrap().to_json().unwrap()
        };
        assert_eq!(make(RUN), make(RUN));
        let uuids = |json: &str| {
            let mut all = BTreeSet::new();
            walk(&serde_json::from_str(json).unwrap(), "", &mut |key, value| {
                if key == "uuid"
                    && let Some(uuid) = value.as_str()
                {
                    all.insert(uuid.to_owned());
                }
            });
            all
        };
        let (one, other) = (uuids(&make(RUN)), uuids(&make(&"0".repeat(64))));
        assert!(one.len() > 50 && one.is_disjoint(&other));
        // The order of files does not matter.
        let reversed: Vec<BundleFile> = files().into_iter().rev().collect();
        assert_eq!(assessment_results(&rich(), &reversed, &run()).unwrap().unwrap().to_json().unwrap(), make(RUN));
    }

    #[test]
    fn identifiers_are_those_of_rfc_9562() {
        // By Python: uuid5(uuid5(NAMESPACE_URL, NS), RUN + "\0,document"), and the same with "observation", "C2" and the ARN.
        assert_eq!(UUIDS, Uuid::new_v5(&Uuid::NAMESPACE_URL, NS.as_bytes()));
        let uuids = Uuids { run: RUN };
        assert_eq!(uuids.of("document", &[]), "e33ad9ad-f33c-514e-acad-c29d98b64446");
        assert_eq!(uuids.observation(&statement("C2", PROD, Verdict::Pass, &[])), "cfbc60f5-9e46-5ae7-b5e3-857f0fe91838");
        // Keys do not run together.
        assert_ne!(uuids.of("a", &["b", "c"]), uuids.of("a", &["b\0,c"]));
        assert_ne!(uuids.of("a", &["b", ""]), uuids.of("a", &["b"]));
    }

    #[test]
    fn verdicts_become_states() {
        let document = document(&rich());
        let result = &document["assessment-results"]["results"][0];
        let finding = |id: &str| {
            let all = result["findings"].as_array().unwrap();
            all.iter().find(|finding| finding["title"].as_str().unwrap().starts_with(&format!("{id}: "))).unwrap_or(&Value::Null)
        };
        // C2 is FAIL at prod, C3 INDETERMINATE; B2 too. A1 alone was judged for the third cluster, so nothing passes there.
        for (control, target, kind, state, reason, related) in [
            ("SC-7(5)", "sc-7.5_obj-2", "objective-id", "not-satisfied", "fail", 2),
            ("SC-7(8)", "sc-7.8_obj", "objective-id", "not-satisfied", "other", 4),
            ("SC-7", "sc-7_obj.a-1", "objective-id", "not-satisfied", "other", 15),
        ] {
            let found = finding(control);
            assert_eq!(found["target"]["target-id"], target);
            assert_eq!(found["target"]["type"], kind);
            assert_eq!(found["target"]["status"]["state"], state, "{control}");
            assert_eq!(found["target"]["status"]["reason"], reason, "{control}");
            assert_eq!(found["related-observations"].as_array().unwrap().len(), related, "{control}");
        }
        assert_eq!(
            finding("SC-7(5)")["target"]["status"]["remarks"],
            "FAIL. Of 3 clusters, C2: 1 PASS, 1 FAIL. The related observations say why."
        );
        assert!(finding("SC-8").is_null(), "what is not assessed is no finding");
        let reviewed = &result["reviewed-controls"];
        let ids: Vec<&str> = reviewed["control-selections"][0]["include-controls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["control-id"].as_str().unwrap())
            .collect();
        assert!(ids.contains(&"sc-7.5") && !ids.contains(&"sc-8"), "{ids:?}");
        assert!(reviewed["remarks"].as_str().unwrap().contains("SC-8 (cannot be shown: encryption"));

        // With the third cluster out of the way, what passed everywhere is satisfied.
        let mut results = rich();
        results.statements.retain(|statement| statement.cluster_arn != "arn:not-in-scope");
        let catalogue = Catalogue::builtin().unwrap();
        results.controls = catalogue.judge(&catalogue.controls(&["AU-6(3)"]).unwrap(), &results.statements);
        let value = self::document(&results);
        let status = &value["assessment-results"]["results"][0]["findings"][0]["target"]["status"];
        assert_eq!((status["state"].as_str(), status["reason"].as_str()), (Some("satisfied"), Some("pass")));
    }

    #[test]
    fn an_observation_holds_the_statement() {
        let document = document(&rich());
        let observations = document["assessment-results"]["results"][0]["observations"].as_array().unwrap();
        assert_eq!(observations.len(), 45);
        let c2 = observations.iter().find(|o| o["title"] == format!("C2: FAIL for {PROD}")).unwrap();
        let props: Vec<(&str, &str)> =
            c2["props"].as_array().unwrap().iter().map(|p| (p["name"].as_str().unwrap(), p["value"].as_str().unwrap())).collect();
        assert_eq!(
            props,
            [
                ("statement", "C2"),
                ("verdict", "FAIL"),
                ("population", "48"),
                ("tested", "40"),
                ("violations", "1"),
                ("indeterminate", "7"),
                ("days", "3"),
                ("least-covered-per-10000", "9583"),
            ]
        );
        assert!(c2["props"].as_array().unwrap().iter().all(|p| p["ns"] == NS));
        assert_eq!(c2["collected"], "2026-10-03T00:00:00Z");
        assert_eq!(c2["methods"], serde_json::json!(["TEST"]));
        assert_eq!(c2["description"], "C2 holds of CUSTOMER_ROUTED clusters.");
        assert_eq!(c2["subjects"].as_array().unwrap().len(), 3, "the cluster and its two interfaces");
        assert_eq!(c2["relevant-evidence"].as_array().unwrap().len(), 5, "four tables and the SQL");
        let f2 = observations.iter().find(|o| o["title"] == format!("F2: PASS for {PROD}")).unwrap();
        assert_eq!(f2["relevant-evidence"].as_array().unwrap().len(), 2, "statements and exceptions");
        assert!(f2.get("remarks").is_none());
        let resources = document["assessment-results"]["back-matter"]["resources"].as_array().unwrap();
        let sql = resources.iter().find(|r| r["title"] == "sql/a b\\#\u{e9}.sql").unwrap();
        assert_eq!(sql["rlinks"][0]["href"], "../sql/a%20b%23%C3%A9.sql");
        assert!(sql["rlinks"][0].get("media-type").is_none());
    }

    #[test]
    fn minimal_document() {
        let json = assessment_results(&minimal(), &files()[4..5], &run()).unwrap().unwrap().to_json().unwrap();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("minimal", json);
        });
    }

    #[test]
    fn without_nist_there_is_no_document() {
        let mut results = minimal();
        results.controls.retain(|control| control.control != "SC-8");
        assert!(!results.controls.is_empty());
        assert_eq!(assessment_results(&results, &files(), &run()).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_referred_to_is_an_error() {
        let fault = |results: &Results, files: &[BundleFile], run: &RunIdentity<'_>| {
            assessment_results(results, files, run).unwrap_err().to_string()
        };
        let without = |path: &str| files().into_iter().filter(|file| file.path != path).collect::<Vec<_>>();
        let missing = "the OSCAL document refers to a file that the bundle does not hold";
        assert_eq!(fault(&rich(), &without("params.json"), &run()), format!("params.json: {missing}"));
        assert_eq!(fault(&rich(), &without("sql/coverage.sql"), &run()), format!("sql/coverage.sql: {missing}"));
        assert!(assessment_results(&rich(), &without("exceptions.csv"), &run()).is_ok(), "tables may be left out");

        let twice = [files(), files()].concat();
        assert_eq!(fault(&minimal(), &twice, &run()), "statements.csv: the file stands twice in the bundle");
        let mut results = rich();
        results.statements.push(statement("C2", PROD, Verdict::Pass, &[]));
        assert!(fault(&results, &files(), &run()).ends_with("the statement stands twice in the results"));

        for period in ["open", "2026-10-01", "1800-01-01T00:00:00Z", "", "3026-10-01T00:00:00Z"] {
            let mut results = minimal();
            results.period.to = period.to_owned();
            assert!(fault(&results, &files(), &run()).starts_with(&format!("period: `{period}` is not an instant")), "{period}");
        }
        let bad = RunIdentity { run_digest: "SHA256", ..run() };
        assert_eq!(fault(&minimal(), &files(), &bad), "run digest: `SHA256` is not SHA-256 in lower-case hex");
        let mut files = files();
        files[0].sha256.make_ascii_uppercase();
        assert!(fault(&minimal(), &files, &run()).starts_with("statements.csv: `"));
    }

    #[test]
    fn documents_are_written_for_the_schema() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/oscal");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, results) in [("minimal", minimal()), ("rich", rich())] {
            let json = assessment_results(&results, &files(), &run()).unwrap().unwrap().to_json().unwrap();
            std::fs::write(folder.join(format!("{name}.json")), &json).unwrap();
            assert!(json.ends_with("}\n"));
        }
    }
}
