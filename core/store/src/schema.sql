CREATE TABLE image (
    id TEXT PRIMARY KEY,          -- digest of the configuration
    record TEXT NOT NULL          -- ImageRecord as JSON
);
CREATE TABLE reference (
    name TEXT PRIMARY KEY,        -- in full: registry/repository:tag
    image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE
);
CREATE INDEX reference_image ON reference (image);
CREATE TABLE repo_digest (
    repository TEXT NOT NULL,     -- in full: registry/repository
    digest TEXT NOT NULL,         -- of the manifest, or of the index it came from
    image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX repo_digest_image ON repo_digest (image);
CREATE TABLE layer (
    driver TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    parent TEXT,                  -- chain id
    diff_id TEXT NOT NULL,
    place TEXT NOT NULL,
    size INTEGER NOT NULL,
    boot TEXT NOT NULL,           -- boot id while its files may not have reached the disk, then empty
    PRIMARY KEY (driver, chain_id)
);
CREATE TABLE root (
    container TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    chain TEXT NOT NULL,          -- chain ids, base first, as JSON
    plan TEXT NOT NULL,           -- RootPlan as JSON
    finished INTEGER NOT NULL     -- whether a container's record names it
);
CREATE TABLE place (
    driver TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,          -- 'layer:<chain id>' or 'root:<container>'
    PRIMARY KEY (driver, name)
);
CREATE INDEX place_owner ON place (owner);
CREATE TABLE lease (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL,
    expires INTEGER NOT NULL      -- seconds since 1970
);
CREATE TABLE leased (
    lease INTEGER NOT NULL REFERENCES lease (id) ON DELETE CASCADE,
    object TEXT NOT NULL,         -- 'blob:<digest>' or 'layer:<driver>:<chain id>'
    PRIMARY KEY (lease, object)
);
