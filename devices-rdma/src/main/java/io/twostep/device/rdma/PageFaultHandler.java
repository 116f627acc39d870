package io.twostep.device.rdma;

/** Makes pages of an on-demand key present. */
@FunctionalInterface
public interface PageFaultHandler {
  /**
   * Make a range of addresses present in the key's page table; called by whoever services the adapter's faults.
   *
   * @param write whether the pages must be writable
   * @return false if that cannot be: the request that waits then fails
   */
  boolean fault(long address, long length, boolean write);
}
