package io.twostep.examples.cli;

import io.twostep.machine.linux.DeviceReadiness;
import io.twostep.machine.linux.DriverBinding;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists this computer's PCI functions and what is missing to use each. */
@Command(
    name = "devices",
    description = {
      "List the PCI functions of this computer: driver, IOMMU group, who else is in it, as whom the IOMMU knows its requests (behind a bridge to conventional PCI not as itself), and what is missing to use each through VFIO.",
      "Exit status: 0, or 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class DevicesCommand extends CommandWork {
  @Option(names = "--bind", paramLabel = "ADDRESS", description = "Say what would give this function to VFIO; with --yes, do it.")
  private @Nullable String bind;

  @Option(names = "--unbind", paramLabel = "ADDRESS", description = "Say what would give this function back to the kernel; with --yes, do it.")
  private @Nullable String unbind;

  @Option(names = "--yes", description = "Do what --bind or --unbind says.")
  private boolean yes;

  @Option(names = "--json", description = "Print the list as one JSON object.")
  private boolean json;

  @Option(names = "--root", paramLabel = "FOLDER", description = "Where sys, proc and dev are. Default: /.", hidden = true)
  private String root = "/";

  @Override
  public Integer call() {
    PrintWriter out = out();
    HostPaths paths = HostPaths.under(Path.of(root));
    if (bind != null && unbind != null) {
      throw new BadInput("--bind and --unbind exclude each other; give one");
    }
    if (json && (bind != null || unbind != null)) {
      throw new BadInput("--json is for the list; leave it out with --bind and --unbind");
    }
    if (bind != null || unbind != null) {
      change(paths, bind != null ? plan(paths, bind, true) : plan(paths, unbind, false), out);
    } else if (yes) {
      throw new BadInput("--yes does what --bind or --unbind says; give one of them");
    } else {
      List<PciFunction> functions = PciInventory.list(paths);
      out.println(json ? json(paths, functions) : text(paths, functions));
    }
    return CommandLineMain.DONE;
  }

  private static DriverBinding plan(HostPaths paths, @Nullable String address, boolean toVfio) {
    String wanted = String.valueOf(address);
    PciFunction function =
        PciInventory.find(paths, wanted).orElseThrow(() -> new BadInput("'" + wanted + "' is no PCI function of this computer; 'twostep devices' lists them"));
    try {
      return toVfio ? DriverBinding.toVfio(paths, function) : DriverBinding.toKernel(paths, function);
    } catch (IllegalStateException e) {
      throw new BadInput(String.valueOf(e.getMessage()));
    }
  }

  private void change(HostPaths paths, DriverBinding plan, PrintWriter out) {
    String address = plan.function().address();
    plan.steps().forEach(step -> out.println(Printable.of((yes ? "will " : "would ") + step)));
    if (plan.steps().isEmpty()) {
      out.println(Printable.of(address) + " is bound to " + PciFunction.VFIO_DRIVER + " already; nothing to do");
    } else if (yes) {
      plan.apply();
      String driver = PciInventory.find(paths, address).map(PciFunction::driver).orElse("");
      out.println(Printable.of(address + " has driver " + (driver.isEmpty() ? "none" : driver) + " now"));
    } else {
      out.println("nothing was done; add --yes to do it");
    }
  }

  private static String text(HostPaths paths, List<PciFunction> functions) {
    if (functions.isEmpty()) {
      return "this computer shows no PCI functions";
    }
    TextTable table = new TextTable("").heading("address", "ids", "class", "driver", "group", "requests as", "also in the group", "missing to use it");
    for (PciFunction function : functions) {
      List<String> missing = DeviceReadiness.missing(paths, function);
      table.row(
          function.address(),
          "%04x:%04x".formatted(function.vendor(), function.device()),
          "%06x".formatted(function.classCode()),
          function.driver().isEmpty() ? "none" : function.driver(),
          function.group() < 0 ? "none" : Integer.toString(function.group()),
          function.requester().equals(function.address()) ? "itself" : function.requester(),
          function.companions().isEmpty() ? "nobody" : String.join(" ", function.companions()),
          missing.isEmpty() ? "nothing" : String.join("; ", missing));
    }
    return String.join(System.lineSeparator(), table.lines());
  }

  private static String json(HostPaths paths, List<PciFunction> functions) {
    JsonText text = new JsonText().open('{').member("command", "devices").name("devices").open('[');
    for (PciFunction function : functions) {
      text.open('{')
          .member("address", function.address())
          .member("vendor", function.vendor())
          .member("device", function.device())
          .member("class", function.classCode())
          .member("driver", function.driver())
          .member("group", function.group())
          .member("requester", function.requester());
      strings(text.name("companions"), function.companions());
      List<String> missing = DeviceReadiness.missing(paths, function);
      strings(text.name("missing"), missing);
      text.member("usable", missing.isEmpty()).close('}');
    }
    return text.close(']').close('}').toString();
  }

  private static void strings(JsonText text, List<String> values) {
    text.open('[');
    values.forEach(text::value);
    text.close(']');
  }
}
