//! The downloaders that run.

use policy::bundle::{Downloader, News};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// All downloaders of one configuration.
pub(crate) struct Fleet {
    /// What they tell.
    pub(crate) news: mpsc::Receiver<News>,
    stop: CancellationToken,
}

impl Fleet {
    pub(crate) fn start(downloaders: Vec<(String, Downloader)>, stop: &CancellationToken) -> Self {
        let (sender, news) = mpsc::channel(1);
        let stop = stop.child_token();
        for (_, downloader) in downloaders {
            tokio::spawn(downloader.run(sender.clone(), stop.clone()));
        }
        Self { news, stop }
    }

    /// Others in their place; news of the old ones is not heard any more.
    pub(crate) fn replace(&mut self, downloaders: Vec<(String, Downloader)>, stop: &CancellationToken) {
        self.stop.cancel();
        *self = Self::start(downloaders, stop);
    }
}
