//! Real clusters in temporary folders, and everything that a killed process leaves behind.

mod support;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use managed_postgres::{Cluster, StartError};
use rustix::process::{Signal, getsid, kill_process};
use support::{Folder, Holder, am_root, become_subreaper, postmaster_of, psql, running_pids, until};

#[test]
fn first_start_makes_the_cluster_and_the_second_finds_the_data() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder.data()).unwrap();
    psql(&cluster, "CREATE TABLE t AS SELECT 'zażółć' AS word");
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("timezone", "UTC"),
        ("jit", "off"),
    ] {
        let show = format!("SELECT setting FROM pg_settings WHERE lower(name) = '{setting}'");
        let shown = psql(&cluster, &show);
        assert_eq!(shown, value, "{setting}");
    }
    let mode = fs::metadata(cluster.socket_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let first = postmaster_of(&cluster);
    assert_ne!(
        getsid(Some(first)).unwrap(),
        getsid(None).unwrap(),
        "Ctrl-C in our terminal must not reach it"
    );
    assert!(cluster.release().unwrap(), "the only user stops it");
    until("no server runs", || running_pids(&folder).is_empty());

    let again = Cluster::start(&folder.data()).unwrap();
    assert_ne!(postmaster_of(&again), first);
    assert_eq!(psql(&again, "SELECT word FROM t"), "zażółć");
}

#[test]
fn the_last_of_two_users_stops_it() {
    let folder = Folder::new();
    let one = Cluster::start(&folder.data()).unwrap();
    let two = Cluster::start(&folder.data()).unwrap();
    let other_process = Holder::start(&folder);
    assert_eq!(one.postmaster_pid(), two.postmaster_pid());
    assert!(!one.release().unwrap());
    assert_eq!(psql(&two, "SELECT 1"), "1");
    drop(other_process);
    assert_eq!(psql(&two, "SELECT 1"), "1");
    assert!(two.release().unwrap());
    until("no server runs", || running_pids(&folder).is_empty());
}

#[test]
fn processes_that_start_at_once_share_one_server() {
    let folder = Folder::new();
    let holders: Vec<Holder> = (0..4).map(|_| Holder::spawn(&folder)).collect();
    let urls: Vec<String> = holders.iter().map(Holder::url).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    drop(holders);
    until("no server runs", || running_pids(&folder).is_empty());
}

#[test]
fn a_server_that_outlived_its_killed_user_is_adopted() {
    let folder = Folder::new();
    let holder = Holder::start(&folder);
    let orphan = {
        let beside = Cluster::start(&folder.data()).unwrap();
        psql(&beside, "CREATE TABLE t AS SELECT 7 AS n");
        beside.postmaster_pid()
    };
    holder.kill();
    let cluster = Cluster::start(&folder.data()).unwrap();
    assert_eq!(cluster.postmaster_pid(), orphan);
    assert_eq!(psql(&cluster, "SELECT n FROM t"), "7");
    assert!(cluster.release().unwrap(), "a killed process does not count as a user");
    until("no server runs", || running_pids(&folder).is_empty());
}

#[test]
fn a_killed_server_comes_back_with_the_data_though_it_stays_a_zombie() {
    become_subreaper();
    let folder = Folder::new();
    let mut cluster = Cluster::start(&folder.data()).unwrap();
    psql(&cluster, "CREATE TABLE t (n int)");
    for round in 1..=3 {
        psql(&cluster, &format!("INSERT INTO t VALUES ({round})"));
        kill_process(postmaster_of(&cluster), Signal::KILL).unwrap();
        if round == 2 {
            cluster = Cluster::start(&folder.data()).unwrap();
        } else {
            cluster.ensure_running().unwrap();
        }
        assert_eq!(psql(&cluster, "SELECT count(*) FROM t"), round.to_string());
    }
}

#[test]
fn kill_9_of_everything_at_once_loses_no_commit() {
    become_subreaper();
    let folder = Folder::new();
    let holder = Holder::start(&folder);
    let cluster = Cluster::start(&folder.data()).unwrap();
    psql(&cluster, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    holder.kill();
    for pid in running_pids(&folder) {
        // One may have ended with its postmaster already.
        let _ = kill_process(pid, Signal::KILL);
    }
    // As if this process had been killed too: its lock goes, nothing is stopped in an orderly way.
    drop(cluster);
    let cluster = Cluster::start(&folder.data()).unwrap();
    assert_eq!(psql(&cluster, "SELECT count(*) FROM t"), "1000");
}

#[test]
fn a_backend_that_outlives_its_postmaster_is_waited_for() {
    become_subreaper();
    let folder = Folder::new();
    let mut cluster = Cluster::start(&folder.data()).unwrap();
    psql(&cluster, "CREATE TABLE t (n int)");
    // A loop that never waits does not notice that the postmaster died.
    let busy =
        "DO $$ BEGIN WHILE clock_timestamp() < statement_timestamp() + interval '3 s' LOOP END LOOP; END $$";
    let mut client = support::psql_command(&cluster, busy).spawn().unwrap();
    until("the loop runs", || {
        psql(&cluster, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'")
            == "1"
    });
    kill_process(postmaster_of(&cluster), Signal::KILL).unwrap();
    cluster.ensure_running().unwrap();
    assert_eq!(psql(&cluster, "SELECT count(*) FROM t"), "0");
    client.wait().unwrap();
}

#[test]
fn a_server_whose_socket_was_deleted_is_replaced() {
    let folder = Folder::new();
    let mut cluster = Cluster::start(&folder.data()).unwrap();
    let unreachable = cluster.postmaster_pid();
    fs::remove_file(cluster.socket_dir().join(format!(".s.PGSQL.{}", managed_postgres::PORT))).unwrap();
    cluster.ensure_running().unwrap();
    assert_ne!(cluster.postmaster_pid(), unreachable);
    assert_eq!(psql(&cluster, "SELECT 1"), "1");
}

#[test]
fn a_long_path_with_odd_characters_works() {
    let folder = Folder::new();
    let odd = folder.path().join("żółw 'quoted\" $(touch x) %41 & co").join("x".repeat(120));
    let cluster = Cluster::start(&odd).unwrap();
    assert_eq!(psql(&cluster, "SELECT 1"), "1");
    let socket_dir = cluster.socket_dir().to_owned();
    assert!(!socket_dir.starts_with(&odd));
    assert!(cluster.release().unwrap());
    assert!(!socket_dir.exists(), "nothing of ours stays behind elsewhere");
}

#[test]
fn a_failed_start_shows_the_end_of_the_log() {
    let folder = Folder::new();
    Cluster::start(&folder.data()).unwrap().release().unwrap();
    fs::write(folder.data().join("cluster/postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
    let error = Cluster::start(&folder.data()).unwrap_err();
    let StartError::Server { log, tail, .. } = &error else { panic!("{error}") };
    assert!(tail.contains("no_such_setting"), "{tail}");
    assert!(log.starts_with(folder.data()));

    fs::write(folder.data().join("cluster/postgresql.auto.conf"), "").unwrap();
    fs::remove_file(folder.data().join("cluster/global/pg_control")).unwrap();
    let error = Cluster::start(&folder.data()).unwrap_err().to_string();
    assert!(error.contains("pg_control"), "{error}");
}

#[test]
fn a_temporary_cluster_leaves_nothing_when_its_owner_is_killed() {
    let mut owner = Command::new("/bin/sh")
        // The shell holds the only writing end of the pipe, as a test run does.
        .args(["-c", "sleep 600 | \"$0\" --temporary", env!("CARGO_BIN_EXE_managed-postgres")])
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(owner.stdout.take().unwrap());
    let mut url = String::new();
    stdout.read_line(&mut url).unwrap();
    let data_dir = url.trim().split_once("?host=").unwrap().1.strip_suffix("/socket").unwrap().to_owned();
    assert!(Path::new(&data_dir).is_dir());
    let sleep = support::child_named(owner.id(), "sleep");
    kill_process(sleep, Signal::KILL).unwrap();
    // End of file on its standard output: it is gone.
    stdout.read_to_string(&mut url).unwrap();
    assert!(!Path::new(&data_dir).exists());
    owner.wait().unwrap();
}

#[test]
fn a_first_start_that_was_killed_halfway_is_done_again() {
    let folder = Folder::new();
    fs::create_dir_all(folder.data().join("cluster.new/base")).unwrap();
    fs::write(folder.data().join("cluster.new/PG_VERSION"), "15\n").unwrap();
    fs::set_permissions(folder.data(), Permissions::from_mode(0o711)).unwrap();
    let cluster = Cluster::start(&folder.data()).unwrap();
    assert_eq!(psql(&cluster, "SELECT 1"), "1");
}

#[test]
fn a_database_that_somebody_dropped_is_created_again() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder.data()).unwrap();
    support::psql_in(&cluster, "postgres", "DROP DATABASE leadlog");
    let again = Cluster::start(&folder.data()).unwrap();
    assert_eq!(psql(&again, "SELECT current_database()"), "leadlog");
}

#[test]
fn a_cluster_of_another_version_names_the_package_to_install() {
    let folder = Folder::new();
    Cluster::start(&folder.data()).unwrap().release().unwrap();
    fs::write(folder.data().join("cluster/PG_VERSION"), "99\n").unwrap();
    let error = Cluster::start(&folder.data()).unwrap_err().to_string();
    assert!(error.contains("postgresql-99"), "{error}");
}

/// As root PostgreSQL runs as another user, who must be able to get there.
#[test]
fn a_folder_that_the_service_user_cannot_reach_is_named() {
    if !am_root() {
        return;
    }
    let folder = Folder::new();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let error = Cluster::start(&closed.join("data")).unwrap_err();
    let StartError::Unreachable { blocked, .. } = &error else { panic!("{error}") };
    assert_eq!(*blocked, closed);
    assert!(error.to_string().contains(&format!("chmod o+x {}", closed.display())), "{error}");
}

#[test]
fn an_ordinary_user_runs_it_as_itself() {
    if !am_root() {
        // Then every other test here has shown it.
        return;
    }
    const NOBODY: u32 = 65_534;
    let folder = Folder::new();
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // A copy, because the build folder may be one that others cannot enter.
    let program = folder.path().join("managed-postgres");
    fs::copy(env!("CARGO_BIN_EXE_managed-postgres"), &program).unwrap();
    let output = Command::new(&program)
        .arg(folder.data())
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("postgres://leadlog@localhost"));
    until("no server runs", || running_pids(&folder).is_empty());
}
