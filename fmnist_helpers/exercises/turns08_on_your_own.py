"""The tasks in the middle of lesson 08: each as its solution and a judgement."""

from types import SimpleNamespace

import torch
from torchvision.transforms.functional import rgb_to_grayscale

from fmnist_helpers.exercises.check import Hints, Wrong
from fmnist_helpers.exercises.turns import Called, turn


def prepare(picture):
    grey = picture.float().mean(dim=0, keepdim=True)
    return 1 - grey / 255


@turn(prepare, "own_pictures")
def judge_prepare(called: Called) -> str:
    generator = torch.Generator().manual_seed(0)
    picture = torch.randint(10, 200, (3, 28, 28), generator=generator, dtype=torch.uint8)
    seen = called(picture.clone())
    shape = tuple(seen.array.shape) if seen.array else None
    if shape in ((28, 28), (3, 28, 28)):
        lost = "the axis for the channel is gone" if shape == (28, 28) else "there are still three channels"
        called.fail(
            f"the result has shape {shape}, and it should have (1, 28, 28): {lost}.",
            hints=Hints(
                "Which axis of the picture counts red, green and blue?",
                "A mean along it makes one number of three; keepdim=True leaves the axis there, with length 1.",
            ),
        )
    found = called.tensor(seen, (1, 28, 28), "the result")
    grey = picture.double().mean(dim=0, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    # As the eye weighs the three colours, which is as right; torchvision rounds it to whole bytes.
    weighed = (weights[:, None, None] * picture).sum(dim=0, keepdim=True), rgb_to_grayscale(picture).double()
    if not any(torch.allclose(found, 1 - one / 255, atol=1e-4) for one in weighed):
        called.compare(
            found,
            1 - grey / 255,
            [
                Wrong(
                    grey / 255,
                    "the picture is still dark on light.",
                    hints=Hints(
                        "What are the background's numbers in a catalogue image, and what are they in yours?",
                        "White, which is 1 after the division, must become 0, and black must become 1.",
                    ),
                ),
                Wrong(
                    1 - (picture[0] + picture[1] + picture[2]).double()[None] / 3 / 255,
                    "the bytes were added while they were bytes, and a byte ends at 255: first make floats of them.",
                ),
                Wrong(
                    255 - grey / 255, "the values go up to 255: the division reaches only a part of the line."
                ),
                Wrong(255 - grey, "the values still go up to 255; in training they went up to 1."),
                Wrong(
                    1 - grey,
                    "the values reach far below 0: they were subtracted from 1 before they were divided by 255.",
                ),
                Wrong(
                    1 - 3 * grey / 255,
                    "the three channels were added up; white is then 3, not 1.",
                    hints=Hints("sum or mean?", "Three channels of 255 are one white, so their mean is."),
                ),
                Wrong(
                    1 - grey / grey.max(),
                    "it was divided by the largest value of this picture: 255 is white, whatever the picture holds.",
                    section="bytes",
                ),
                Wrong(-grey / 255, "white is -1 and black is 0: the whole range lies below 0."),
            ],
            Wrong(None, "the shape is right, and the values are not 1 minus the grey between 0 and 1."),
            tolerance=1e-4,
        )
    return "Grey, light on black, from 0 to 1, and with one channel."


def get_sample(self, index):
    image = self.read(self.paths[index])
    return image, self.labels[index]


@turn(get_sample, "own_pictures")
def judge_get_sample(called: Called) -> str:
    read_paths = []

    def read(path):
        read_paths.append(path)
        return torch.full((1, 2, 2), float(path[:-4]))

    pictures = SimpleNamespace(paths=["5.png", "3.png", "8.png"], labels=[7, 0, 2], read=read)
    before = [*pictures.paths], [*pictures.labels]
    for index in (1, 2, 0):
        read_paths.clear()
        # Whoever keeps something in self has changed it, and nothing is lost.
        seen = called(pictures, index, may_change=True)
        if (pictures.paths, pictures.labels) != before:
            called.fail("the lists of paths and labels have changed, and the next sample needs them.")
        image, label = called.parts(seen, ["the image", "the label"])
        path, right = pictures.paths[index], pictures.labels[index]
        if label.is_a("Tensor") and image.number is not None:
            called.fail("the label came first: the image comes first, then the label.")
        if image.text is not None:
            called.fail(
                f"the first part is {image.shown}, the path itself, and nobody has read the picture.",
                hints=Hints("What does self.read do?", "It takes the path of a picture and gives the image."),
            )
        found = called.tensor(image, (1, 2, 2), "the image")
        if float(found[0, 0, 0]) != float(path[:-4]):
            called.fail(f"sample {index} should show {path}, and it shows another picture.")
        # A tensor with one number serves a DataLoader as well.
        in_tensor = label.is_a("Tensor") and label.number is not None
        number = label.number if in_tensor else called.number(label, "the label")
        called.compare(
            number, right, [], Wrong(None, f"the label of sample {index} is {number:g}, not {right}.")
        )
        if len(read_paths) > 1:
            called.fail(
                f"{len(read_paths)} pictures were read for one sample.",
                hints=Hints(
                    "Which of your lines calls self.read, and how often?",
                    "Take the path out of the list first, and read only that one.",
                ),
            )
    return "Three samples in any order, each read when it is asked for, and only that one."


def renumber(folder_classes, classes):
    return [classes.index(name) for name in folder_classes]


@turn(renumber, "own_pictures")
def judge_renumber(called: Called) -> str:
    ours = ["shoe", "hat", "bag", "coat"]
    for folders in (sorted(ours), ["bag", "shoe"]):
        seen = called(list(folders), list(ours))
        if seen.entries is not None:
            called.fail(
                f"{seen.name} came back, and a list was asked for: its places are the folders' numbers."
            )
        items = called.items(seen, "the result", number=len(folders))
        if any(item.text is not None for item in items):
            called.fail("the list holds names, and numbers were asked for.")
        found = [called.number(item, "each entry") for item in items]
        right = [ours.index(name) for name in folders]
        backwards = [folders.index(name) for name in ours if name in folders]
        called.compare(
            found,
            right,
            [
                Wrong(
                    backwards,
                    "the list goes the other way: from your number to the folder's.",
                    hints=Hints(
                        "Which of the two lists does your loop go through?",
                        "There must be one entry for each folder. For the name of a folder, where in classes is it?",
                    ),
                ),
                Wrong(
                    list(range(len(folders))),
                    "it gives 0, 1, 2, ...: the folders' own numbers once more.",
                    hints=Hints(
                        "In which list must you look up the place of a name?",
                        "The place in classes is what the model has learnt.",
                    ),
                ),
            ],
            Wrong(None, f"for the folders {folders} and the classes {ours} it gives {found}."),
        )
    return "Tried with all folders, and with only some of them."


def start_from(model, num_classes):
    model.requires_grad_(False)
    model.head = torch.nn.Linear(model.head.in_features, num_classes)
    return model


@turn(start_from, "trained_start")
def judge_start_from(called: Called) -> str:
    # New layers draw their weights, and the lesson's random numbers stay as they are.
    with torch.random.fork_rng(devices=[]):
        model = torch.nn.Module()
        model.features, model.head = torch.nn.Linear(6, 4), torch.nn.Linear(4, 3)
        old = model.features.weight.detach().clone()
        seen = called(model, 5, may_change=True)
    if seen.type != "Module":
        called.fail(f"the model should come back, and what came back is {seen.name}.")
    model = called.returned
    head = model.head
    if not isinstance(head, torch.nn.Linear) or head.weight.shape != (5, 4):
        shape = tuple(head.weight.shape) if isinstance(head, torch.nn.Linear) else type(head).__name__
        called.fail(
            f"for 4 numbers per image and 5 classes the head should be (5, 4), and it is {shape}.",
            hints=Hints(
                "Which layer gives the logits, and under which name does the model keep it?",
                "Put a new nn.Linear under that name. Its first size is the old layer's in_features.",
            ),
        )
    if any(parameter.requires_grad for parameter in model.features.parameters()):
        called.fail(
            "the layers before the head are not frozen: a number of theirs still requires a gradient.",
            hints=Hints(
                "Which call switches all parameters of a module off?",
                "requires_grad_(False), on the model as a whole, before it gets its new head.",
            ),
        )
    if not all(parameter.requires_grad for parameter in head.parameters()):
        called.fail(
            "the new head is frozen, too, so nothing can learn.",
            hints=Hints(
                "In which order do you freeze and put the head in?",
                "What is put in after the freezing is not frozen.",
            ),
        )
    if not torch.equal(model.features.weight, old):
        called.fail("the trained weights have changed, and they are what you start from.")
    return "The head is new and learns; everything before it is as it was, and frozen."
