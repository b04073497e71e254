"""AutoAttack's standard version in the linf ball in PyTorch, for scripts/compare-autoattack.mjs, which says on stdin what to do.

Our own lines, after the papers (Croce and Hein, 2020; Andriushchenko et al., 2020), with every pass that the official code makes, also those
whose result it throws away: FAB differentiates with respect to the weights, too, and each part asks for clean predictions again.
"""

import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from compare_pytorch import Block, read

ITERATIONS, TARGETS, QUERIES = 100, 9, 5000


class ResNet18(nn.Module):
    def __init__(self, channels=1, width=64, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        before = width
        for at, (factor, stride) in enumerate([(1, 1), (2, 2), (4, 2), (8, 2)], 1):
            blocks = nn.Sequential(Block(before, factor * width, stride), Block(factor * width, factor * width, 1))
            setattr(self, f"layer{at}", blocks)
            before = factor * width
        self.linear = nn.Linear(before, classes)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer4(self.layer3(self.layer2(self.layer1(y)))).mean((2, 3)))


def column(values):
    return values.view(-1, 1, 1, 1)


def targeted_dlr(z, y, target):
    ranked, rows = z.sort(1)[0], torch.arange(len(z), device=z.device)
    return -(z[rows, y] - z[rows, target]) / (ranked[:, -1] - 0.5 * (ranked[:, -3] + ranked[:, -4]) + 1e-12)


def apgd_run(model, x, y, epsilon, loss_of):
    """One run of APGD (Algorithm 1): which examples kept their label throughout, and the last point where one lost it."""

    def look(point):
        point = point.detach().requires_grad_()
        z = model(point)
        loss = loss_of(z)
        (gradient,) = torch.autograd.grad(loss.sum(), [point])
        return gradient.detach(), loss.detach(), z.detach().argmax(1) == y

    def project(point):
        return torch.min(torch.max(point, x - epsilon), x + epsilon).clamp(0, 1)

    t = 2 * torch.rand_like(x) - 1
    point = (x + epsilon * t / (column(t.abs().flatten(1).amax(1)) + 1e-12)).clamp(0, 1)
    gradient, loss, robust = look(point)
    best, best_gradient, best_loss, adversarial = point.clone(), gradient.clone(), loss.clone(), point.clone()
    step, previous = torch.full_like(loss, 2 * epsilon), point.clone()
    history, halved, loss_there = torch.zeros(ITERATIONS, len(x), device=x.device), torch.ones_like(robust), loss.clone()
    window, since = int(0.22 * ITERATIONS), 0
    for i in range(ITERATIONS):
        drift, previous = point - previous, point
        stepped = project(point + column(step) * gradient.sign())
        weight = 1.0 if i == 0 else 0.75
        point = project(point + weight * (stepped - point) + (1 - weight) * drift)
        gradient, loss, correct = look(point)
        robust = robust & correct
        adversarial[~correct] = point[~correct]
        better = loss > best_loss
        best[better], best_gradient[better], best_loss[better] = point[better], gradient[better], loss[better]
        history[i] = loss
        since += 1
        if since == window:
            rises = sum((history[j] > history[j - 1]).float() for j in range(i - window + 1, i + 1))
            now = (rises <= 0.75 * window) | (~halved & (best_loss == loss_there))
            step = torch.where(now, step / 2, step)
            point, gradient = point.clone(), gradient.clone()
            point[now], gradient[now] = best[now], best_gradient[now]
            halved, loss_there, since = now, best_loss.clone(), 0
            window = max(window - int(0.03 * ITERATIONS), int(0.06 * ITERATIONS))
    return robust, adversarial


def on_survivors(model, x, y, once, ranks):
    """Runs on those that are classified correctly so far, once for each rank; returns the points found for the others."""
    found, alive = x.clone(), model(x).argmax(1) == y
    for rank in ranks:
        if not alive.any():
            break
        at = alive.nonzero().flatten()
        robust, points = once(x[at], y[at], rank)
        found[at[~robust]] = points[~robust]
        alive[at[~robust]] = False
    return found


def apgd_ce(model, x, y, epsilon):
    def once(x, y, _):
        return apgd_run(model, x, y, epsilon, lambda z: F.cross_entropy(z, y, reduction="none"))

    return on_survivors(model, x, y, once, [None])


def apgd_t(model, x, y, epsilon):
    def once(x, y, rank):
        target = model(x).sort(1)[1][:, -rank]
        return apgd_run(model, x, y, epsilon, lambda z: targeted_dlr(z, y, target))

    return on_survivors(model, x, y, once, range(2, TARGETS + 2))


def onto_hyperplane(t, w, b):
    """The least displacement in linf onto <w, .> = b within [0, 1], by sorting where coordinates meet their faces."""
    c = (w * t).sum(1) - b
    flip = torch.where(c < 0, -1.0, 1.0)[:, None]
    c, w = c.abs(), w * flip
    room, weight = torch.where(w > 0, t, 1 - t), w.abs()
    ordered, order = room.sort(1)
    weights = weight.gather(1, order)
    spent = (weights * ordered).cumsum(1)
    left = weights.sum(1, keepdim=True) - weights.cumsum(1)
    at_face = spent + left * ordered
    k = torch.searchsorted(at_face, c[:, None]).clamp(max=t.shape[1] - 1)
    before = (k - 1).clamp(min=0)
    taken = torch.where(k > 0, spent.gather(1, before), torch.zeros(1, device=t.device))
    slope = torch.where(k > 0, left.gather(1, before), weights.sum(1, keepdim=True))
    level = torch.where(c[:, None] >= at_face[:, -1:], torch.full((1,), math.inf, device=t.device), (c[:, None] - taken) / slope)
    return -w.sign() * torch.min(level.expand_as(room), room)


def fab_t(model, x, y, epsilon):
    def once(x, y, rank):
        rows, target = torch.arange(len(x), device=x.device), model(x).sort(1)[1][:, -rank]
        flat, current = x.flatten(1), x.clone()
        best, found = torch.full((len(x),), 1e10, device=x.device), x.clone()
        for _ in range(ITERATIONS):
            point = current.detach().requires_grad_()
            z = model(point)
            value = z[rows, target] - z[rows, y]
            value.sum().backward()
            with torch.no_grad():
                w, value, at = point.grad.flatten(1), value.detach(), current.flatten(1)
                b = (w * at).sum(1) - value
                both = onto_hyperplane(torch.cat([at, flat]), torch.cat([w, w]), torch.cat([b, b]))
                near, far = both.abs().amax(1).clamp(min=1e-8).chunk(2)
                d1, d2 = both.chunk(2)
                alpha = (near / (near + far)).clamp(max=0.1)[:, None]
                current = ((1 - alpha) * (at + 1.05 * d1) + alpha * (flat + 1.05 * d2)).clamp(0, 1).view_as(x)
                wrong = model(current).argmax(1) != y
                distance = (current - x).abs().flatten(1).amax(1)
                nearer = wrong & (distance < best)
                best[nearer], found[nearer] = distance[nearer], current[nearer]
                current[wrong] = x[wrong] + 0.9 * (current[wrong] - x[wrong])
        return best > epsilon, found

    return on_survivors(model, x, y, once, range(2, TARGETS + 2))


def side_at(i, height, width):
    share = 0.8 / 2 ** sum(i > bound for bound in [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000])
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


@torch.no_grad()
def square(model, x, y, epsilon):
    def margin(points, y):
        z = model(points)
        own = z.gather(1, y[:, None])[:, 0]
        return own - z.scatter(1, y[:, None], -math.inf).amax(1)

    found, at = x.clone(), (model(x).argmax(1) == y).nonzero().flatten()
    x, y = x[at], y[at]
    n, channels, height, width = x.shape
    signs = torch.sign(2 * torch.rand(n, channels, 1, width, device=x.device) - 1)
    best = (x + epsilon * signs).clamp(0, 1)
    margins = margin(best, y)
    for i in range(QUERIES):
        alive = (margins > 0).nonzero().flatten()
        if len(alive) == 0:
            break
        origin, point, side = x[alive], best[alive], side_at(i, height, width)
        top, left = (int(torch.rand((), device=x.device) * (size - side)) for size in (height, width))
        shift = torch.zeros(channels, height, width, device=x.device)
        shift[:, top : top + side, left : left + side] = 2 * epsilon * torch.sign(2 * torch.rand(channels, 1, 1, device=x.device) - 1)
        candidate = torch.min(torch.max(point + shift, origin - epsilon), origin + epsilon).clamp(0, 1)
        value = margin(candidate, y[alive])
        taken = (value < margins[alive]) | (value <= 0)
        best[alive[taken]], margins[alive[taken]] = candidate[taken], value[taken]
    found[at[margins <= 0]] = best[margins <= 0]
    return found


STAGES = {"apgd-ce": apgd_ce, "apgd-t": apgd_t, "fab-t": fab_t, "square": square}


def standard(model, images, labels, epsilon, stages):
    """The stages in turn on who is left; flags of who withstands them, and the seconds of each."""
    robust, seconds = model(images).argmax(1) == labels, {}
    for name in stages:
        stage = STAGES[name]
        began = time.perf_counter()
        at = robust.nonzero().flatten()
        if len(at) > 0:
            points = stage(model, images[at], labels[at], epsilon)
            robust[at[model(points).argmax(1) != labels[at]]] = False
            int(robust.sum())  # all is computed
        seconds[name] = time.perf_counter() - began
    return robust, seconds


def main():
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = settings["tf32"]
    on_gpu = settings["device"].startswith("cuda")
    global QUERIES
    QUERIES = settings["queries"]
    tensors = read()
    x, y = tensors.pop("images").permute(0, 3, 1, 2).contiguous(), tensors.pop("labels").long()
    model = ResNet18(x.shape[1], settings["width"]).eval()
    state = model.state_dict()
    weights = {name: value.permute(3, 2, 0, 1) if value.dim() == 4 else value.t() if value.dim() == 2 else value for name, value in tensors.items()}
    missing = {name for name in state if not name.endswith("num_batches_tracked")} ^ weights.keys()
    if missing:
        raise SystemExit(f"names that only one side has: {sorted(missing)}")
    model.load_state_dict({**state, **weights})
    model, x, y = model.to(settings["device"]), x.to(settings["device"]), y.to(settings["device"])
    for seed, _ in enumerate(sys.stdin):
        torch.manual_seed(seed)
        robust, seconds = standard(model, x, y, settings["epsilon"], settings["stages"])
        peak = torch.cuda.max_memory_allocated() if on_gpu else 0
        print(json.dumps({"robust": robust.int().tolist(), "seconds": seconds, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
