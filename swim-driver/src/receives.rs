//! What every subscription offers, whatever it is to.

/// Gives a newtype around [`crate::ring::Subscription`] its methods. `$one` and `$a` name what is received, in the docs.
macro_rules! receives {
    ($name:ident, $item:ty, $one:literal, $a:literal) => {
        impl $name {
            #[doc = concat!("The next ", $one, ", if it is there.")]
            ///
            /// # Errors
            /// [`TryRecvError::Empty`](crate::TryRecvError::Empty) when there is none now,
            /// [`TryRecvError::Closed`](crate::TryRecvError::Closed) when there will be none any more.
            pub fn try_recv(&mut self) -> Result<$item, crate::TryRecvError> {
                self.0.try_recv()
            }

            #[doc = concat!("The next ", $one, "; blocks the thread until it comes.")]
            ///
            /// # Errors
            /// [`RecvError`](crate::RecvError) when there will be none any more.
            pub fn recv(&mut self) -> Result<$item, crate::RecvError> {
                self.0.recv()
            }

            #[doc = concat!("The next ", $one, "; blocks the thread until it comes, but no longer than `timeout`.")]
            ///
            /// # Errors
            /// [`RecvTimeoutError::Timeout`](crate::RecvTimeoutError::Timeout) when none came in time,
            /// [`RecvTimeoutError::Closed`](crate::RecvTimeoutError::Closed) when there will be none any more.
            pub fn recv_timeout(&mut self, timeout: std::time::Duration) -> Result<$item, crate::RecvTimeoutError> {
                self.0.recv_timeout(timeout)
            }

            #[doc = concat!("The next ", $one, "; the task waits until it comes.")]
            ///
            #[doc = concat!("May be given up at any time, in a `select!` for example: ", $a, " is received by whoever was")]
            /// ready, or by the next call.
            ///
            /// # Errors
            /// [`RecvError`](crate::RecvError) when there will be none any more.
            pub async fn recv_async(&mut self) -> Result<$item, crate::RecvError> {
                self.0.recv_async().await
            }

            #[doc = concat!("The next ", $one, "; when there is none yet the task is woken when it comes. The last task that")]
            /// has asked is the one that is woken.
            ///
            /// # Errors
            /// [`RecvError`](crate::RecvError) when there will be none any more.
            pub fn poll_recv(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Result<$item, crate::RecvError>> {
                self.0.poll_recv(cx)
            }
        }

        #[doc = concat!("Every ", $one, ", until there will be none any more.")]
        impl futures_core::Stream for $name {
            type Item = $item;

            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<$item>> {
                self.poll_recv(cx).map(Result::ok)
            }
        }
    };
}

pub(crate) use receives;
