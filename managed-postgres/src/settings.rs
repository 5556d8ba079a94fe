//! PostgreSQL's settings, in `leadlog.conf` inside the cluster. It is rewritten at each start, so a new
//! version of the product brings its settings along; `ALTER SYSTEM` still overrides them.

use std::path::Path;

use crate::PORT;

/// The file, and the line of `postgresql.conf` that reads it.
pub(crate) const FILE: &str = "leadlog.conf";
pub(crate) const INCLUDE: &str = "include 'leadlog.conf'\n";

/// The contents of [`FILE`]. `socket_dir` needs no quoting: `Folders::socket_dir` sees to it.
pub(crate) fn render(socket_dir: &Path) -> String {
    format!(
        "# Written by leadlog at each start; changes here are lost. Use ALTER SYSTEM.

# Reached only through a socket in a folder that nobody else may enter.
listen_addresses = ''
port = {PORT}
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
cluster_name = 'leadlog'

# A commit is on the disk.
fsync = on
full_page_writes = on
synchronous_commit = on

# A laptop that has other things to do.
max_connections = 100
shared_buffers = 128MB
maintenance_work_mem = 64MB
effective_cache_size = 1GB
max_wal_size = 1GB

# Statements here are short; compiling them costs more than it saves.
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'

# One file a weekday, overwritten after a week.
logging_collector = on
log_directory = '../log'
log_filename = 'postgres-%a.log'
log_file_mode = 0600
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] '
log_checkpoints = off

# No personal data in logs: neither statements, nor parameters, nor the DETAIL line that quotes a row.
log_statement = none
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
",
        socket_dir = socket_dir.display(),
    )
}
