package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.TerminalBackend;
import java.util.IdentityHashMap;

/**
 * Which terminal owns the translations of an address space, as long as a stack over it lives: a second one would hand out the same I/O addresses and take the
 * tables away from the first.
 */
final class SpaceOwners {
  private static final IdentityHashMap<AddressSpace, Owner> OWNERS = new IdentityHashMap<>();

  private static final class Owner {
    final TerminalBackend terminal;
    int stacks;

    Owner(TerminalBackend terminal) {
      this.terminal = terminal;
    }
  }

  private SpaceOwners() {}

  /**
   * Take the address space for a terminal, once more if it has it already.
   *
   * @throws DmaMappingException UNSUPPORTED if another terminal has it
   */
  static void claim(AttachContext context, TerminalBackend terminal) {
    AddressSpace space = context.space();
    if (space.translation() != Translation.TRANSLATED) {
      return;
    }
    synchronized (OWNERS) {
      Owner owner = OWNERS.computeIfAbsent(space, any -> new Owner(terminal));
      if (owner.terminal != terminal) {
        throw new DmaMappingException(
            Reason.UNSUPPORTED,
            context.device()
                + ": another instance of backend "
                + owner.terminal.name()
                + " owns the translations of "
                + space.name()
                + "; attach all its devices through one instance, or close the other's mappers first");
      }
      owner.stacks++;
    }
  }

  /** Give back one claim. */
  static void release(AddressSpace space) {
    synchronized (OWNERS) {
      Owner owner = OWNERS.get(space);
      if (owner != null && --owner.stacks == 0) {
        OWNERS.remove(space);
      }
    }
  }
}
