use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn load(flags: &[(&str, &str)], env: &[(&str, &str)], file: Option<&str>) -> Result<Config, ConfigError> {
    let machine = Machine { data_home: Some("/home/ann/.local/share".into()), ..Machine::default() };
    Config::assemble(&pairs(flags), &pairs(env), file.map(|text| ("portreeve.toml", text)), machine)
}

fn faults(env: &[(&str, &str)], file: Option<&str>) -> Vec<String> {
    load(&[], env, file).expect_err("settings are wrong").0
}

#[test]
fn nothing_needs_to_be_set() {
    let config = load(&[], &[], None).expect("defaults");
    assert_eq!(config.data_dir, Path::new("/home/ann/.local/share/portreeve"));
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.web.metrics_listen.map(|a| a.to_string()).as_deref(), Some("127.0.0.1:9090"));
    assert_eq!(config.web.url_when_bound(config.web.listen).as_str(), "http://localhost:8080/");
    assert!(!config.is_production() && config.smtp.is_none() && config.egress_allow.is_empty());
}

#[test]
fn root_keeps_its_data_where_services_do() {
    let machine =
        Machine { is_root: true, data_home: Some("/root/.local/share".into()), ..Machine::default() };
    let config = Config::assemble(&[], &[], None, machine).expect("defaults");
    assert_eq!(config.data_dir, Path::new("/var/lib/portreeve"));
}

#[test]
fn flags_win_over_environment_over_file() {
    let file = "listen = \"127.0.0.1:1\"\nlog = \"debug\"\nbase_url = \"http://file\"";
    let env = [("PORTREEVE_LISTEN", "127.0.0.1:2"), ("PORTREEVE_BASE_URL", "http://env")];
    let config = load(&[("listen", "127.0.0.1:3")], &env, Some(file)).expect("fine");
    assert_eq!(config.web.listen.port(), 3);
    assert_eq!(config.web.base_url.map(|url| url.to_string()).as_deref(), Some("http://env/"));
    assert_eq!(config.telemetry.log, "debug");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert!(
        !load(&[], &[("DATABASE_URL", ""), ("PORTREEVE_SMTP_HOST", "")], None).expect("fine").is_production()
    );
}

#[test]
fn all_faults_are_reported_together_and_by_the_name_they_were_given_under() {
    let file = "listne = \"127.0.0.1:1\"\n[smtp]\nhots = \"mail\"\nport = 99999";
    let all = faults(&[("PORTREEVE_LISTEN", "8080"), ("PORTREEVE_LOG_FROMAT", "json")], Some(file));
    assert_eq!(
        all,
        [
            "portreeve.toml has “listne”, which is no setting; did you mean listen?",
            "portreeve.toml has “smtp.hots”, which is no setting; did you mean smtp.host?",
            "the environment has PORTREEVE_LOG_FROMAT, which is no setting; did you mean PORTREEVE_LOG_FORMAT?",
            "PORTREEVE_LISTEN: “8080” is no address and port such as 127.0.0.1:8080",
            "PORTREEVE_SMTP_HOST is missing: sending mail needs it",
            "PORTREEVE_SMTP_FROM is missing: sending mail needs it",
            "smtp.port in portreeve.toml: “99999” is no port from 1 to 65535",
        ]
    );
}

#[test]
fn variables_that_kubernetes_sets_for_services_are_not_ours() {
    let env = [
        ("PORTREEVE_PORT", "tcp://10.0.0.1:80"),
        ("PORTREEVE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PORTREEVE_SERVICE_HOST", "10.0.0.1"),
        ("PORTREEVE_SERVICE_PORT_HTTP", "80"),
    ];
    assert!(load(&[], &env, None).is_ok());
}

#[test]
fn a_half_configured_replica_names_each_missing_setting() {
    let all = faults(&[("DATABASE_URL", "postgres://app:pw@db/portreeve")], None);
    assert_eq!(
        all,
        [
            "PORTREEVE_MASTER_KEYS is missing: with DATABASE_URL it must be set (the same keys on every replica)",
            "PORTREEVE_BASE_URL is missing: with DATABASE_URL it must be set (the address people and agents use)",
        ]
    );
    let all = faults(&[("PORTREEVE_OWNER_DATABASE_URL", "postgres://owner:pw@db/portreeve")], None);
    assert_eq!(all, ["DATABASE_URL is missing: PORTREEVE_OWNER_DATABASE_URL is set"]);
    let keys = format!("k1:{KEY}");
    for base_url in ["", "https://portreeve.example.com"] {
        let env = [("PORTREEVE_MASTER_KEYS", keys.as_str()), ("PORTREEVE_BASE_URL", base_url)];
        assert_eq!(faults(&env, None), ["DATABASE_URL is missing: PORTREEVE_MASTER_KEYS is set"]);
    }
}

#[test]
fn a_complete_replica_is_understood() {
    let keys = format!("k2:{KEY},k1:{KEY}");
    let env = [
        ("DATABASE_URL", "postgres://app:pw@db/portreeve"),
        ("PORTREEVE_MASTER_KEYS", keys.as_str()),
        ("PORTREEVE_BASE_URL", "https://portreeve.example.com"),
        ("PORTREEVE_SMTP_HOST", "mail"),
        ("PORTREEVE_SMTP_TLS", "starttls"),
        ("PORTREEVE_SMTP_FROM", "Portreeve <portreeve@example.com>"),
        ("PORTREEVE_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.1"),
    ];
    let config = load(&[], &env, None).expect("complete");
    assert!(config.is_production());
    assert_eq!(config.master_keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["k2", "k1"]);
    assert_eq!(config.smtp.map(|smtp| smtp.port), Some(587));
    assert_eq!(config.web.trusted_proxies.len(), 2);
}

#[test]
fn no_secret_is_repeated_in_a_fault_or_in_debug() {
    let env = [
        ("DATABASE_URL", "mysql://app:hunter2@db/portreeve"),
        ("PORTREEVE_MASTER_KEYS", "k1:hunter2"),
        ("PORTREEVE_BASE_URL", "https://p.example.com"),
    ];
    let all = faults(&env, Some("smtp.password = [\"hunter2\", 3]\nmaster_keys = \"hunter2")).join("\n");
    assert!(all.contains("DATABASE_URL") && all.contains("PORTREEVE_MASTER_KEYS"), "{all}");
    assert!(!all.contains("hunter2"), "{all}");
    let keys = format!("k1:{KEY}");
    let env = [
        ("DATABASE_URL", "postgres://app:hunter2@db/portreeve"),
        ("PORTREEVE_MASTER_KEYS", keys.as_str()),
        ("PORTREEVE_BASE_URL", "https://p.example.com"),
    ];
    let shown = format!("{:?}", load(&[], &env, None).expect("complete"));
    assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
}

#[test]
fn egress_rules_are_networks_with_or_without_a_port() {
    let text = "10.0.0.0/8, 192.168.1.7:8443,fd00::/8,[fd00::/8]:443,::1";
    let rules = load(&[("egress_allow", text)], &[], None).expect("fine").egress_allow;
    let shown: Vec<String> = rules.iter().map(|rule| format!("{} {:?}", rule.network, rule.port)).collect();
    assert_eq!(
        shown,
        [
            "10.0.0.0/8 None",
            "192.168.1.7/32 Some(8443)",
            "fd00::/8 None",
            "fd00::/8 Some(443)",
            "::1/128 None"
        ]
    );
    for wrong in ["10.0.0.0/99", "example.com", "10.0.0.0/8:0", "10.0.0.0/8:https"] {
        assert!(load(&[("egress_allow", wrong)], &[], None).is_err(), "{wrong}");
    }
}

#[test]
fn a_file_may_write_lists_numbers_and_truths_as_such() {
    let file = "trusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\ndatabase_max_connections = 40\nauto_migrate = false";
    let config = load(&[], &[], Some(file)).expect("fine");
    assert_eq!(config.web.trusted_proxies.len(), 2);
    assert_eq!(config.database.max_connections, 40);
    assert!(!config.database.auto_migrate);
}

#[test]
fn the_example_of_the_environment_lists_exactly_what_is_read() {
    let example = include_str!("../../../.env.example");
    let name = |line: &'static str| line.trim_start_matches("# ").split_once('=').map(|(name, _)| name);
    let is_setting =
        |name: &&str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let mut listed: Vec<&str> = example.lines().filter_map(name).filter(is_setting).collect();
    let mut read: Vec<&str> = SETTINGS.iter().map(|setting| setting.env).collect();
    listed.sort_unstable();
    read.sort_unstable();
    assert_eq!(listed, read);
}

#[test]
fn every_name_of_a_setting_follows_from_its_key() {
    for setting in SETTINGS {
        let usual = format!("PORTREEVE_{}", setting.key.replace('.', "_").to_uppercase());
        assert!(setting.env == usual || setting.env == "DATABASE_URL", "{}", setting.env);
    }
}
