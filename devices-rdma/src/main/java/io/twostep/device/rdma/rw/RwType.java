package io.twostep.device.rdma.rw;

/** What a transfer is made of. */
public enum RwType {
  /** One DMA range. */
  SINGLE_WR,
  /** Several DMA ranges, as many to a work request as the adapter takes. */
  MULTI_WR,
  /** Keys that are registered for the transfer in front of it and invalidated behind it, with one work request each. */
  MR,
  /** Several ranges linked into one reserved range of I/O addresses. */
  IOVA
}
