package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.DataSegments;
import io.twostep.device.rdma.FastKey;
import io.twostep.device.rdma.HcaException;
import io.twostep.device.rdma.QueuePair;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.PhysRanges;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One transfer between local memory and a range of a peer's: prepared, posted, ended, destroyed; then the next.
 *
 * <p>The memory is the adapter's from prepare to destroy. One thread at a time, that of the queue pair.
 */
public final class RwContext implements AutoCloseable {
  private enum State {
    IDLE,
    PREPARED,
    POSTED,
    ENDED,
    CLOSED
  }

  private final RwQueue queue;
  private final RwMapping mapping;
  private final RequestCuts requests = new RequestCuts();
  private final KeyCuts cuts = new KeyCuts();
  private final DataSegments data = new DataSegments();
  private final RangeSink toData = this::addLocal;
  private final RangeSink toKey = this::addPages;
  private final List<FastKey> keys = new ArrayList<>();
  private State state = State.IDLE;
  private RwOperation operation = RwOperation.READ;
  private @Nullable RwReason reason;
  private int remoteKey;
  private long remoteAddress;
  private int workRequests;

  /** How many pages the key taken last has so far. */
  private int pages;

  /** Whether keys were given to work requests, and not all of those are known to have ended well. */
  private boolean keysInDoubt;

  RwContext(RwQueue queue) {
    this.queue = queue;
    mapping = new RwMapping(queue.mapper());
  }

  /**
   * Map a scatter list and choose how to transfer it by the ranges that it is for the adapter.
   *
   * @param ranges not empty; unchanged until destroy
   * @param remoteKey the peer's key
   * @param remoteAddress address of the first byte in it
   * @return how many work requests there will be
   * @throws io.twostep.dma.DmaMappingException why it cannot be mapped
   * @throws HcaException if it needs keys and not enough are free: destroy others first
   * @throws IllegalArgumentException if it is empty, or becomes more work requests than the queue pair ever holds; after any of these nothing is mapped and no key is held
   */
  public int prepareList(RwOperation operation, PhysRanges ranges, int remoteKey, long remoteAddress) {
    begin(operation, remoteKey, remoteAddress);
    try {
      mapping.mapRanges(ranges, operation.direction());
      return choose(RwRules.list(queue.limits(), operation, mapping.extents().count()));
    } catch (RuntimeException e) {
      throw undo(e);
    }
  }

  /** Choose how to transfer a vector, as one range of I/O addresses if that can be, and map it so; else as {@link #prepareList}. */
  public int prepareVector(RwOperation operation, PhysRanges ranges, int remoteKey, long remoteAddress) {
    begin(operation, remoteKey, remoteAddress);
    try {
      return choose(mapping.mapVector(ranges, queue.limits(), operation));
    } catch (RuntimeException e) {
      throw undo(e);
    }
  }

  private void begin(RwOperation what, int key, long address) {
    require(State.IDLE, "prepare");
    operation = what;
    remoteKey = key;
    remoteAddress = address;
    keysInDoubt = false;
  }

  private int choose(RwReason found) {
    RwReason chosen = found.type() == RwType.MR ? withKeys(found) : found;
    workRequests = chosen.type() == RwType.MR ? 3 * keys.size() : cutRequests().count();
    if (workRequests > queue.queuePair().depth()) {
      throw new IllegalArgumentException(
          "%s: 0x%x bytes in %d ranges are %d work requests, and the queue pair holds %d; transfer less at once or make it deeper"
              .formatted(name(), mapping.extents().length(), mapping.extents().count(), workRequests, queue.queuePair().depth()));
    }
    reason = chosen;
    queue.count(chosen.type());
    state = State.PREPARED;
    return workRequests;
  }

  /** Take the keys that are needed and write their pages, or say why it has to be done without. */
  private RwReason withKeys(RwReason found) {
    if (!found.needsKeys() && KeyCuts.hasGap(mapping.extents())) {
      return RwReason.KEY_GAP;
    }
    int needed = cutKeys().count();
    if (needed > queue.keys().free()) {
      if (found.needsKeys()) {
        throw new HcaException(
            "%s: %d keys are needed and %d are free: %s; destroy transfers that ended, or keep more keys"
                .formatted(name(), needed, queue.keys().free(), found.text()));
      }
      return RwReason.KEYS_SPENT;
    }
    cutKeys();
    for (int i = 0; i < needed; i++) {
      keys.add(queue.keys().take());
      pages = 0;
      cuts.next(toKey);
    }
    return found;
  }

  /** Add the pages of a range to the key taken last. */
  private void addPages(long dmaAddress, long length) {
    long page = 1L << FastKey.LOG_PAGE;
    long touched = ((dmaAddress & (page - 1)) + length + page - 1) >>> FastKey.LOG_PAGE;
    for (long i = 0; i < touched; i++) {
      keys.getLast().page(pages++, (dmaAddress & -page) + i * page);
    }
  }

  private KeyCuts cutKeys() {
    return cuts.start(mapping.extents(), queue.limits().keyPages(), queue.limits().messageBytes());
  }

  private RequestCuts cutRequests() {
    return requests.start(mapping.extents(), queue.limits().sge(operation), queue.limits().messageBytes());
  }

  /** Give everything back after a failure. */
  private RuntimeException undo(RuntimeException cause) {
    giveKeys();
    try {
      mapping.unmap();
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
    return cause;
  }

  /** Return the type that was chosen. */
  public RwType type() {
    return reason().type();
  }

  /** Return why. */
  public RwReason reason() {
    RwReason chosen = reason;
    if (chosen == null || state == State.IDLE || state == State.CLOSED) {
      throw new IllegalStateException(name() + ": nothing is prepared");
    }
    return chosen;
  }

  /** Return how many work requests there are. */
  public int workRequests() {
    reason();
    return workRequests;
  }

  /** Return the DMA ranges that the memory is for the adapter. */
  public int ranges() {
    reason();
    return mapping.extents().count();
  }

  /** Return the DMA address of a range's first byte. */
  public long dmaAddress(int range) {
    reason();
    return mapping.extents().dmaAddress(range);
  }

  /** Return the bytes to transfer. */
  public long bytes() {
    reason();
    return mapping.extents().length();
  }

  /**
   * Post the transfer; then {@link #ended} is due when {@code id} completes, which it does exactly once.
   *
   * @param id of the last work request
   * @param silentId of the others, which complete only if they fail, before the last one does
   * @return false, and nothing is posted, while the queue pair has not room for all of it
   */
  public boolean post(long id, long silentId) {
    return post(id, silentId, 0);
  }

  /** Post the transfer in front of a request of the caller's, whose completion is the transfer's: {@link #ended} is due then. */
  public boolean postSilently(long silentId) {
    return post(silentId, silentId, QueuePair.SILENT);
  }

  private boolean post(long id, long silentId, int lastFlags) {
    require(State.PREPARED, "post");
    if (queue.queuePair().room() < workRequests) {
      return false;
    }
    state = State.POSTED;
    if (keys.isEmpty()) {
      postRequests(id, silentId, lastFlags);
    } else {
      keysInDoubt = true;
      postKeys(id, silentId, lastFlags);
    }
    return true;
  }

  private void postRequests(long id, long silentId, int lastFlags) {
    long at = remoteAddress;
    cutRequests();
    while (requests.next(toData)) {
      boolean last = requests.isLast();
      transfer(last ? id : silentId, at, last ? lastFlags : QueuePair.SILENT);
      at += requests.bytes();
    }
  }

  private void addLocal(long dmaAddress, long length) {
    data.add(queue.localKey(), dmaAddress, length);
  }

  private void postKeys(long id, long silentId, int lastFlags) {
    QueuePair queuePair = queue.queuePair();
    int access = operation == RwOperation.READ ? AccessFlags.LOCAL_WRITE : 0;
    long at = remoteAddress;
    cutKeys();
    for (FastKey key : keys) {
      cuts.next(null);
      requirePosted(queuePair.postRegister(silentId, key, cuts.start(), cuts.length(), access, QueuePair.SILENT));
      data.add(key, cuts.start(), cuts.length());
      transfer(silentId, at, QueuePair.SILENT);
      at += cuts.length();
    }
    for (int i = 0; i < keys.size(); i++) {
      boolean last = i == keys.size() - 1;
      requirePosted(queuePair.postInvalidate(last ? id : silentId, keys.get(i), last ? lastFlags : QueuePair.SILENT));
    }
  }

  private void transfer(long id, long at, int flags) {
    QueuePair queuePair = queue.queuePair();
    requirePosted(
        operation == RwOperation.READ ? queuePair.postRead(id, data, remoteKey, at, flags) : queuePair.postWrite(id, data, remoteKey, at, flags));
    data.clear();
  }

  /** What was counted has room; anything else is a mistake of ours. */
  private void requirePosted(boolean posted) {
    if (!posted) {
      throw new IllegalStateException(name() + ": the queue pair lost the room for " + workRequests + " work requests; is it used by another thread?");
    }
  }

  /** Take note that the last work request has ended, and so. */
  public void ended(CompletionStatus status) {
    require(State.POSTED, "ended");
    state = State.ENDED;
    keysInDoubt &= status != CompletionStatus.SUCCESS;
  }

  /**
   * Give the memory back: keys that may still be valid are forgotten by the adapter first, then it is unmapped.
   *
   * @throws IllegalStateException unless prepared, and while posted: the adapter may use the memory until the transfer has ended or the queue pair is closed
   * @throws HcaException if the adapter does not forget a key; the memory stays mapped, and this may be tried again once the adapter was reset
   * @throws io.twostep.dma.DmaMappingException QUARANTINED if the adapter could not be proved away from the memory
   */
  public void destroy() {
    if (state == State.POSTED && queue.queuePair().isClosed()) {
      state = State.ENDED;
    }
    if (state != State.ENDED) {
      require(State.PREPARED, "destroy");
    }
    if (keysInDoubt) {
      replaceKeys();
    }
    giveKeys();
    state = State.IDLE;
    mapping.unmap();
  }

  private void replaceKeys() {
    while (!keys.isEmpty()) {
      queue.keys().replace(keys.getLast());
      keys.removeLast();
    }
  }

  private void giveKeys() {
    while (!keys.isEmpty()) {
      queue.keys().give(keys.removeLast());
    }
  }

  private void require(State wanted, String what) {
    if (state != wanted) {
      throw new IllegalStateException("%s: %s of a transfer that is %s, not %s".formatted(name(), what, state, wanted));
    }
  }

  private String name() {
    return queue.hca().name();
  }

  /**
   * Destroy what is prepared, and end the context for good. May be repeated.
   *
   * @throws IllegalStateException while posted
   */
  @Override
  public void close() {
    if (state == State.CLOSED) {
      return;
    }
    if (state != State.IDLE) {
      destroy();
    }
    state = State.CLOSED;
    mapping.close();
    queue.forget();
  }
}
