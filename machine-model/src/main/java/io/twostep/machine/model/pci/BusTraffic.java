package io.twostep.machine.model.pci;

/** What one function moved; guarded by the machine's lock. */
public final class BusTraffic {
  private long reads;
  private long writes;
  private long bytesRead;
  private long bytesWritten;
  private long strays;
  private long notMaster;
  private long directPeerBytes;
  private long bridgedPeerBytes;

  BusTraffic() {}

  void count(long length, boolean write) {
    if (write) {
      writes++;
      bytesWritten += length;
    } else {
      reads++;
      bytesRead += length;
    }
  }

  void countPeer(long length, boolean direct) {
    if (direct) {
      directPeerBytes += length;
    } else {
      bridgedPeerBytes += length;
    }
  }

  void countStray() {
    strays++;
  }

  void countNotMaster() {
    notMaster++;
  }

  /** Return reads asked for. */
  public long reads() {
    return reads;
  }

  /** Return writes asked for. */
  public long writes() {
    return writes;
  }

  /** Return bytes of the reads. */
  public long bytesRead() {
    return bytesRead;
  }

  /** Return bytes of the writes. */
  public long bytesWritten() {
    return bytesWritten;
  }

  /** Return bytes moved to and from peers by bus address, past host bridge and translation. */
  public long directPeerBytes() {
    return directPeerBytes;
  }

  /** Return bytes moved to and from peers through the host bridge. */
  public long bridgedPeerBytes() {
    return bridgedPeerBytes;
  }

  /** Return accesses refused because the function could not master the bus. */
  public long notMaster() {
    return notMaster;
  }

  /** Return pages touched that no block owned at that time. */
  public long strays() {
    return strays;
  }
}
