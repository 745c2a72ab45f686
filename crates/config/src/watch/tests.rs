use std::os::unix::fs::symlink;

use super::*;

const POLL: Duration = Duration::from_secs(3600);

async fn notices(watcher: &mut Watcher) -> bool {
    timeout(Duration::from_secs(5), watcher.changed()).await.is_ok()
}

#[tokio::test]
async fn a_rename_over_the_file_is_noticed_and_a_touch_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.yaml");
    fs::write(&file, "a: 1").unwrap();
    let mut watcher = Watcher::new(vec![file.clone()], POLL);
    fs::write(folder.path().join("new"), "a: 2").unwrap();
    fs::rename(folder.path().join("new"), &file).unwrap();
    assert!(notices(&mut watcher).await);
    fs::write(&file, "a: 2").unwrap();
    assert!(timeout(Duration::from_millis(600), watcher.changed()).await.is_err());
    fs::write(&file, "a: 3").unwrap();
    assert!(notices(&mut watcher).await, "the new file is watched like the old one");
}

#[tokio::test]
async fn a_config_map_swap_is_noticed_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let version = |name: &str, text: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("gatehouse.yaml"), text).unwrap();
        symlink(name, folder.path().join("..new")).unwrap();
        fs::rename(folder.path().join("..new"), folder.path().join("..data")).unwrap();
    };
    version("..2026_01", "a: 1");
    symlink("..data/gatehouse.yaml", folder.path().join("gatehouse.yaml")).unwrap();
    let mut watcher = Watcher::new(vec![folder.path().join("gatehouse.yaml")], POLL);
    version("..2026_02", "a: 2");
    fs::remove_dir_all(folder.path().join("..2026_01")).unwrap();
    assert!(notices(&mut watcher).await);
    version("..2026_03", "a: 3");
    assert!(notices(&mut watcher).await);
}

#[tokio::test]
async fn files_below_a_watched_folder_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    let mut watcher = Watcher::new(vec![folder.path().join("policies")], POLL);
    fs::create_dir(folder.path().join("policies/deep")).unwrap();
    fs::write(folder.path().join("policies/deep/a.rego"), "package a").unwrap();
    assert!(notices(&mut watcher).await);
}

#[tokio::test]
async fn without_notifications_polling_finds_the_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let mut watcher = Watcher::new(vec![file.clone()], Duration::from_millis(50));
    watcher.system = None;
    fs::write(&file, "{}").unwrap();
    assert!(notices(&mut watcher).await, "a file that appears is a change");
}

#[tokio::test]
async fn other_paths_can_be_watched_without_losing_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.yaml"), folder.path().join("b.yaml"));
    fs::write(&a, "1").unwrap();
    let mut watcher = Watcher::new(vec![a.clone()], Duration::from_millis(50));
    fs::write(&a, "2").unwrap();
    watcher.watch(vec![a, b]);
    assert!(notices(&mut watcher).await);
}
