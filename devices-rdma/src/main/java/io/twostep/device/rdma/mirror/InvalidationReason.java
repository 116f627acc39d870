package io.twostep.device.rdma.mirror;

/** Why pages of a process change below those who use them. */
public enum InvalidationReason {
  /** The range is no longer mapped. */
  UNMAP,
  /** The process's permission becomes narrower. */
  PROTECT,
  /** A shared page is replaced by a copy of its own, because somebody writes. */
  COPY_ON_WRITE,
  /** The process is forked: its pages become shared. */
  FORK,
  /** Contents move to other frames. */
  MIGRATE,
  /** Contents move out of memory. */
  SWAP,
  /** What backs the pages is cut off. */
  TRUNCATE,
  /** Contents are thrown away. */
  DISCARD,
  /** The process ends. */
  EXIT
}
