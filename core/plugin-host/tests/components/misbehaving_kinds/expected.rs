//! What storage, registry authentication and lifecycle policy alone can do wrong, and what must come of it where all that
//! the manifest needs is granted. A behaviour that is not here fails a test.

/// What it answers is a plan, and not the one that it answers when it behaves.
pub(super) const ANOTHER_PLAN: &str = "another plan";

/// By call: behaviours, and what must come of each.
type Calls = &'static [(&'static str, &'static [(&'static str, &'static str)])];

/// The kinds, the behaviours of each alone, and the source that tells these apart.
pub(super) const KINDS: &[(&str, Calls, &str)] = &[
    ("storage", STORAGE, include_str!("../../guests/misbehaving-kinds/src/storage.rs")),
    ("registry-auth", REGISTRY_AUTH, include_str!("../../guests/misbehaving-kinds/src/auth.rs")),
    ("lifecycle", LIFECYCLE, include_str!("../../guests/misbehaving-kinds/src/lifecycle.rs")),
];

const STORAGE: Calls = &[
    (
        "prepare-layer",
        &[
            ("undeterred-layer", "ok"),
            ("another-plan-each-time", ANOTHER_PLAN),
            ("dir-above", "invalid: \"../t-other\" is not one name beneath the driver's area"),
            ("copy-of-the-host", "invalid: \"/etc\" is not one name"),
            ("copy-to-the-host", "invalid: \"/etc\" is not one name"),
            ("subvolume-deeper", "invalid: \"a/b\" is not one name"),
            ("snapshot-of-another-area", "invalid: \"../other/t-1\" is not one name"),
            ("file-image-of-the-host", "invalid: \"/\" is not one name"),
            ("file-image-with-options", "unsupported: image format \"erofs,loop=/dev/sda\""),
            ("rename-to-another-area", "invalid: \"../other/part\" is not one name"),
            ("quota-of-the-host", "invalid: \"/\" is not one name"),
            ("unpack-into-the-host", "invalid: \"/\" is not one name"),
            ("unpack-twice", "invalid: the folder to unpack into was said twice"),
            ("unpack-nowhere", "internal: its plan says nothing of where to unpack"),
            ("whiteouts-with-options", "unsupported: whiteout style \"overlay,upperdir=/etc\""),
            ("million-steps", "internal: a plan has at most 10000 steps"),
        ],
    ),
    (
        "commit-layer",
        &[
            ("place-of-another-layer", ANOTHER_PLAN),
            ("place-above", "internal: \"../t-other\" is not one name"),
            ("place-of-the-host", "internal: \"/etc\" is not one name"),
            ("place-with-a-comma", "internal: \"done,upperdir=b\" is not one name"),
            ("oversized-place", "xxx\" is not one name"),
        ],
    ),
    (
        "prepare-root",
        &[
            ("undeterred-root", "ok"),
            ("overlay-with-a-comma", "invalid: \"a,upperdir=b\" is not one name"),
            ("overlay-with-a-colon", "invalid: \"a:b\" is not one name"),
            ("overlay-of-the-host", "invalid: \"/\" is not one name"),
            ("overlay-onto-another", "invalid: \"../r-other\" is not one name"),
            ("overlay-work-of-the-host", "invalid: \"/tmp\" is not one name"),
            ("overlay-halved", "invalid: upper and work go together"),
            ("overlay-too-deep", "invalid: an overlay has 1 to 256 lower trees, this one has 257"),
            ("tree-of-the-host", "invalid: \"/\" is not one name"),
            ("image-of-the-host", "invalid: \"/dev/sda\" is not one name"),
            ("image-with-options", "unsupported: image format \"erofs,device=/dev/sda\""),
            ("changes-of-another", "invalid: \"../r-other\" is not one name"),
            ("two-roots", "invalid: a root is one mount, and one was said already"),
            ("no-root", "internal: its plan says nothing of what the root is"),
        ],
    ),
    ("promote", &[("promote-to-another-area", "internal: \"../other/t-1\" is not one name")]),
    (
        "remove-layer",
        &[
            ("discard-the-host", "invalid: \"/\" is not one name"),
            ("discard-the-area", "invalid: \".\" is not one name"),
        ],
    ),
    ("reconcile", &[("keep-above", "internal: \"../t-other\" is not one name"), ("keep-without-end", "internal: it")]),
];

const REGISTRY_AUTH: Calls = &[
    (
        "authenticate",
        &[
            ("undeterred-answer", "ok"),
            ("no-answer", "internal: its plan says nothing of how to answer"),
            ("bearer-of-a-password", "invalid: the credential is not a registry token"),
            ("basic-of-a-token", "invalid: the credential is a token, not a user's password"),
            ("stored-of-another-registry", "denied: a credential for another registry than registry.example"),
            ("leak-credential", "denied: http https://evil.example (grant \"http\" missing"),
            ("leak-credential-to-a-granted-origin", "denied: the secret is not for https://vault.example"),
            ("leak-credential-in-form", "denied: the secret is not for https://vault.example"),
            ("leak-token", "denied: http https://evil.example (grant \"http\" missing"),
            ("leak-token-to-a-granted-origin", "denied: the secret is not for https://vault.example"),
            (
                "answer-with-a-secret-of-the-site",
                "denied: a secret of the site for the registry registry.example (grant \"http\" missing",
            ),
            ("leak-secret-to-the-realm", "denied: the secret is not for https://auth.example"),
            ("sign-with-a-token", "denied: only a secret that the site names may sign"),
            ("header-of-the-host", "denied: the header authorization is the host's own"),
            ("header-of-two-lines", "invalid: a header is a token and at most 8192 plain bytes"),
        ],
    ),
    (
        "resolve",
        &[
            ("undeterred-mirror", "ok"),
            ("mirror-not-granted", "denied: mirror https://evil.example (grant \"mirrors\" missing"),
            ("mirror-in-the-clear", "denied: mirror http://mirror.example (grant \"mirrors\" missing"),
            ("mirror-at-another-port", "denied: mirror https://mirror.example:8443 (grant \"mirrors\" missing"),
            ("mirror-with-a-path", "invalid: \"https://mirror.example/evil\" is not an origin"),
            ("mirror-with-a-user", "invalid: \"https://mirror.example@evil.example\" is not an origin"),
            ("prefix-above", "invalid: the prefix is not the beginning of a repository's name"),
            ("prefix-with-a-query", "invalid: the prefix is not the beginning of a repository's name"),
            ("million-mirrors", "internal: a repository has at most 16 mirrors"),
            ("ask-the-realm-of-no-challenge", "denied: http https://auth.example (grant \"http\" missing"),
            ("ask-the-registry", "denied: http https://registry.example (grant \"http\" missing"),
        ],
    ),
    (
        "verify",
        &[
            ("blob-of-no-digest", "invalid: \"sha256:../../etc/passwd\" is not a digest"),
            ("block-in-blob", "internal: no answer within its deadline of {deadline}"),
            ("block-in-referrers", "internal: no answer within its deadline of {deadline}"),
        ],
    ),
];

const LIFECYCLE: Calls = &[(
    "mutate",
    &[
        ("undeterred-adjustment", "ok"),
        ("many-copies", "ok"),
        ("adjust-privileges", "denied: adjusting /privileged (grant \"adjust\" missing"),
        ("adjust-mounts", "denied: adjusting /mounts (grant \"adjust\" missing"),
        ("adjust-everything", "invalid: a field is named by a JSON pointer, which begins with /"),
        ("adjust-all-labels", "denied: adjusting /labels (grant \"adjust\" missing"),
        ("adjust-another-label", "denied: adjusting /labels/other (grant \"adjust\" missing"),
        ("adjust-beneath-a-label", "denied: adjusting /labels/team/deeper (grant \"adjust\" missing"),
        ("adjust-no-json", "invalid: the value of /labels/team is not JSON"),
        ("adjust-deep-json", "invalid: the value of /labels/team is not JSON: recursion limit exceeded"),
        ("oversized-adjustment", "internal: a call makes at most 1024 adjustments of 1048576 bytes in all"),
        ("million-adjustments", "internal: a call makes at most 1024 adjustments of 1048576 bytes in all"),
        ("secret-by-adjustment", "denied: adjusting /secret_files/~1run~1key (grant \"adjust\" missing"),
        ("secret-file-not-granted", "denied: secret \"root-password\" as a file (grant \"secret-files\" missing"),
        ("secret-file-relative", "invalid: a secret's file is an absolute path without"),
        ("secret-file-above", "invalid: a secret's file is an absolute path without"),
        ("secret-file-setuid", "invalid: /run/key: the mode of a secret's file is at most 0777, not 4755"),
    ],
)];
