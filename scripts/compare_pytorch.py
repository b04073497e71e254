"""Training steps of AT, TRADES and ST in PyTorch, for scripts/compare-pytorch.mjs, which says on stdin what to do.

Each step makes the passes that the official code of its method makes, also those whose result it throws away:
AT's attack computes weight gradients, TRADES computes the clean logits in every inner step, ST passes benign images
again where some example steps from them.
"""

import json
import resource
import struct
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

EPSILON, STEP, STEPS, BETA = 8 / 255, 2 / 255, 10, 6.0


class Block(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        before = 64
        for at, (channels, stride) in enumerate([(64, 1), (128, 2), (256, 2), (512, 2)], 1):
            blocks = nn.Sequential(Block(before, channels, stride), Block(channels, channels, 1))
            setattr(self, f"layer{at}", blocks)
            before = channels
        self.linear = nn.Linear(512, classes)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        return self.linear(F.avg_pool2d(y, 4).flatten(1))


class WideBlock(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.convShortcut = None if before == channels else nn.Conv2d(before, channels, 1, stride, bias=False)

    def forward(self, x):
        h = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(h))))
        return y + (x if self.convShortcut is None else self.convShortcut(h))


class Stage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth=28, width=10, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        before = 16
        for at, (channels, stride) in enumerate([(16 * width, 1), (32 * width, 2), (64 * width, 2)], 1):
            blocks = [WideBlock(before if i == 0 else channels, channels, stride if i == 0 else 1) for i in range((depth - 4) // 6)]
            setattr(self, f"block{at}", Stage(blocks))
            before = channels
        self.bn1 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        y = F.relu(self.bn1(self.block3(self.block2(self.block1(self.conv1(x))))))
        return self.fc(F.avg_pool2d(y, 8).flatten(1))


MODELS = {"resnet18": ResNet18, "wrn-28-10": WideResNet}


def track(model, on):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = on


def moved(start, x, gradient):
    return torch.min(torch.max(start + STEP * gradient.sign(), x - EPSILON), x + EPSILON).clamp(0, 1).detach()


def near(x):
    return x + 0.001 * torch.randn_like(x)


def at(model, x, y):
    model.eval()
    adv = (x + torch.empty_like(x).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
    for _ in range(STEPS):
        adv.requires_grad_()
        model.zero_grad()
        F.cross_entropy(model(adv), y).backward()
        adv = moved(adv.detach(), x, adv.grad)
    model.train()
    return F.cross_entropy(model(adv), y)


def divergence(of, target):
    return F.kl_div(F.log_softmax(of, 1), F.softmax(target, 1), reduction="batchmean")


def trades(model, x, y):
    model.eval()
    adv = near(x)
    for _ in range(STEPS):
        adv.requires_grad_()
        (gradient,) = torch.autograd.grad(divergence(model(adv), model(x)), [adv])
        adv = moved(adv.detach(), x, gradient)
    model.train()
    loss = F.cross_entropy(model(x), y)
    adversarial = model(adv)
    return loss + BETA * divergence(adversarial, model(x))


def gap(a, b):
    return 0.5 * (divergence(a, b.detach()) + divergence(b, a.detach()))


def chosen(side, points):
    shape = (-1,) + (1,) * (points[0].dim() - 1)
    return sum((side == at).to(points[0].dtype).view(shape) * point for at, point in enumerate(points))


def sides(logits, y):
    of_label = torch.stack([F.softmax(z.detach(), 1).gather(1, y[:, None])[:, 0] for z in logits])
    return of_label.argmin(0), of_label.argmax(0)


def st(model, x, y):
    model.train()
    track(model, False)
    adv, col = near(x), near(x)
    with torch.no_grad():
        natural = model(x)
    for _ in range(STEPS):
        adv.requires_grad_()
        col.requires_grad_()
        logits = [natural, model(col), model(adv)]
        upper, lower = sides(logits, y)
        points = [x, col, adv]
        asked = [col, adv]
        if bool(((upper == 0) | (lower == 0)).any()):
            again = x.clone().requires_grad_()
            logits[0] = model(again)
            points[0] = again
            asked = points
        gradients = torch.autograd.grad(gap(chosen(upper, logits), chosen(lower, logits)), asked, allow_unused=True)
        gradients = [torch.zeros_like(x) if g is None else g for g in gradients]
        if len(gradients) == 2:
            gradients = [torch.zeros_like(x), *gradients]
        points = [point.detach() for point in points]
        adv = moved(chosen(upper, points), x, chosen(upper, gradients))
        col = moved(chosen(lower, points), x, chosen(lower, gradients))
    collaborative = model(col)
    track(model, True)
    logits = [model(x), collaborative, model(adv)]
    upper, lower = sides(logits, y)
    return F.cross_entropy(logits[0], y) + BETA * gap(chosen(upper, logits), chosen(lower, logits))


def read():
    """A JSON line: the shapes of the tensors that follow it in the file, as little-endian float32."""
    (length,) = struct.unpack("<I", sys.stdin.buffer.read(4))
    tensors = {}
    for name, shape in json.loads(sys.stdin.buffer.read(length)):
        count = torch.Size(shape).numel()
        tensors[name] = torch.frombuffer(bytearray(sys.stdin.buffer.read(4 * count)), dtype=torch.float32).view(shape)
    return tensors


def peak_of_process():
    """Bytes. Not ru_maxrss where it can be helped: on Linux that begins at the size of whoever started this process."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    global STEPS
    method, settings = {"at": at, "trades": trades, "st": st}[sys.argv[1]], json.loads(sys.argv[2])
    torch.set_num_threads(settings["threads"])
    STEPS, device = settings["steps"], torch.device(settings["device"])
    on_gpu = device.type == "cuda"
    # as PyTorch's own examples do: the algorithms that are the fastest for these shapes
    torch.backends.cudnn.benchmark = on_gpu
    tensors = read()
    x, y = tensors.pop("images").permute(0, 3, 1, 2).contiguous().to(device), tensors.pop("labels").long().to(device)
    model = MODELS[settings["model"]]()
    state = model.state_dict()
    weights = {name: value.permute(3, 2, 0, 1) if value.dim() == 4 else value.t() if value.dim() == 2 else value for name, value in tensors.items()}
    missing = {name for name in state if not name.endswith("num_batches_tracked")} ^ weights.keys()
    if missing:
        raise SystemExit(f"names that only one side has: {sorted(missing)}")
    model.load_state_dict({**state, **weights})
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    for line in sys.stdin:
        command, precision = line.split()
        if command != "step" or precision not in ("float32", "tf32"):
            raise SystemExit(f"unknown: {line!r}")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        began = time.perf_counter()
        loss = method(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if on_gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        peak = torch.cuda.max_memory_allocated() if on_gpu else peak_of_process()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        print(json.dumps({"seconds": seconds, "loss": loss.item(), "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
